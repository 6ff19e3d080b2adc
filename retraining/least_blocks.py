"""How many blocks of rows each question takes at least.

A block is a file, or a run of its rows: rows of one are alike.
"""

BLOCKS_OF_A_BATCH = 10  # a batch of fewer files is cut further, so that some can be held out
BLOCKS_FOR_AN_INTERVAL = (
    5  # fewer tell too little of how much blocks differ: no interval, no verdict
)
BLOCKS_FOR_DRIFT = 8  # reference and current: fewer labellings cannot tell 5 % of 15 features
