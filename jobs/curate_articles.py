r"""Filter and deduplicate the articles of a corpus on a cluster.

    ray job submit --address http://127.0.0.1:8265 --working-dir jobs -- \
        python curate_articles.py s3://bucket/corpus --min-chars 500

Arguments, options and exit status are those of `raywiki curate`; raywiki must be installed on the nodes.
"""

import sys

from raywiki.cli import main

if __name__ == "__main__":
    main(["curate", *sys.argv[1:]])
