"""The prediction log: what the service answered, which labels came, and which file each row was
exported to.

One layout of tables on sqlite and PostgreSQL (`tables`), made and upgraded by whoever comes first
(`layout`). The service appends through one writer thread (`writer`) and takes labels (`labels`);
the job asks what is ready to leave (`ready`, `ready_in_sqlite`) and claims it (`exports`).
`connection` says how long anybody waits, and what went wrong in our words.
"""
