# The public names, each with the module that it is loaded from when it is first used.

from .cache import TokenCache as TokenCache
from .cache import cache_folder as cache_folder
from .cache import open_cache as open_cache
from .checkpoint import model_digest as model_digest
from .config import RECIPES as RECIPES
from .config import SIZES as SIZES
from .config import GPTConfig as GPTConfig
from .loop import train_segment as train_segment
from .metrics import read_metrics as read_metrics
from .options import TrainOptions as TrainOptions
from .order import PartTokens as PartTokens
from .order import Segment as Segment
from .order import order_digest as order_digest
from .plan import Plan as Plan
from .plan import SegmentResult as SegmentResult
from .plan import chosen_parts as chosen_parts
from .plan import plan_segment as plan_segment
from .runs import Run as Run
from .runs import RunConfig as RunConfig
from .runs import open_run as open_run
from .sampling import generate as generate
from .sampling import load_model as load_model
