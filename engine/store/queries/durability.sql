-- The settings of this session that decide what a commit is worth. No lock.
select
    current_setting('fsync') as "fsync!",
    current_setting('full_page_writes') as "full_page_writes!",
    current_setting('synchronous_commit') as "synchronous_commit!",
    current_setting('synchronous_standby_names') as "synchronous_standby_names!",
    current_setting('server_version') as "server_version!"
