r"""Train a GPT on a cluster, or go on where the run stands.

    ray job submit --address http://127.0.0.1:8265 --working-dir jobs -- \
        python train_gpt.py /shared/corpus --run r1 --size gpt2 --num-workers 8

Arguments, options and exit status are those of `raywiki train`; raywiki must be installed on the nodes.
"""

import sys

from raywiki.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
