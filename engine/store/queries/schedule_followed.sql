-- Forgets an instance whose successor was started, and those that were never born: noted before $4, and
-- not there.
delete from schedule_after a
where a.namespace = $1
    and a.definition = $2
    and (
        a.instance_id = $3
        or (
            a.at < $4
            and not exists (
                select
                from instance_state s
                where s.bucket = a.bucket
                    and s.id = a.instance_id
            )
        )
    )
