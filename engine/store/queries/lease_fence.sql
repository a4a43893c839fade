-- This node's epoch: the first one, the next one when fresh, else the one in force.
insert into node_fence (node, epoch)
values ($1, 1)
on conflict (node) do update
set epoch = node_fence.epoch + $2
returning epoch
