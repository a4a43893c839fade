-- Moves the clock of a sandbox or test database; leases do not see it. Locks the row of the clock.
update sandbox_clock
set offset_ms = offset_ms + $1
where id = 1
