-- Whether an inbox can work here.
-- Returns the version of the server, whether it is a replica, whether transactions are read-only, and whether the user may
-- read and write the table of the progress.
select current_setting('server_version_num')::int4,
    pg_is_in_recovery(),
    current_setting('transaction_read_only')::bool,
    coalesce(has_table_privilege(to_regclass('ordered_progress'), 'select')
        and has_table_privilege(to_regclass('ordered_progress'), 'insert')
        and has_table_privilege(to_regclass('ordered_progress'), 'update'), true)
