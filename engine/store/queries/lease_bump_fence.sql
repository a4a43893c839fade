-- Ends the epochs of nodes: waits for their checkpoints in flight, refuses all later ones.
update node_fence
set epoch = epoch + 1
where node = any($1::uuid[])
