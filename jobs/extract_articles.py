r"""Extract dump parts on a cluster: one task for each byte range of a dump.

    ray job submit --address http://127.0.0.1:8265 --working-dir jobs -- \
        python extract_articles.py s3://bucket/corpus s3://bucket/enwiki-20251101-pages-articles1.xml-p1p41242.bz2

Arguments, options and exit status are those of `raywiki extract`; raywiki must be installed on the nodes.
"""

import sys

from raywiki.cli import main

if __name__ == "__main__":
    main(["extract", *sys.argv[1:]])
