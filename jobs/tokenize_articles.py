r"""Write the token shards of a corpus on a cluster.

    ray job submit --address http://127.0.0.1:8265 --working-dir jobs -- \
        python tokenize_articles.py s3://bucket/corpus --encoding gpt2

Arguments, options and exit status are those of `raywiki tokenize`; raywiki must be installed on the nodes.
"""

import sys

from raywiki.cli import main

if __name__ == "__main__":
    main(["tokenize", *sys.argv[1:]])
