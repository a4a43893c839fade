-- This node's epoch. No lock: a renewal must not wait for checkpoints.
select f.epoch
from node_fence f
where f.node = $1
