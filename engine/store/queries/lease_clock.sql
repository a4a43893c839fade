-- The plain database clock: leases never see the sandbox's offset. No lock.
select now() as "now!: jiff_sqlx::Timestamp"
