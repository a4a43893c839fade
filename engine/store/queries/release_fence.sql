-- Ends this node's epoch, when it is still the one in force.
update node_fence
set epoch = epoch + 1
where node = $1
    and epoch = $2
