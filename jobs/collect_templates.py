r"""Collect a wiki's templates on a cluster: one task for each byte range of its dumps.

    ray job submit --address http://127.0.0.1:8265 --working-dir jobs -- \
        python collect_templates.py s3://bucket/enwiki-20251101-pages-articles1.xml-p1p41242.bz2 --to s3://bucket/en.parquet

Arguments, options and exit status are those of `raywiki templates`; raywiki must be installed on the nodes.
"""

import sys

from raywiki.cli import main

if __name__ == "__main__":
    main(["templates", *sys.argv[1:]])
