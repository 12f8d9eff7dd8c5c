r"""Add dump parts to a corpus and go on training, on a cluster.

    ray job submit --address http://127.0.0.1:8265 --working-dir jobs -- \
        python grow_corpus.py /shared/corpus /shared/enwiki-20251101-pages-articles2.xml-p41243p151573.bz2 --run r1

Arguments, options and exit status are those of `raywiki grow`; raywiki must be installed on the nodes.
"""

import sys

from raywiki.cli import main

if __name__ == "__main__":
    main(["grow", *sys.argv[1:]])
