"""What a request may cost, what it did cost, and whether there is room for it: pure, in integer nano-dollars.

    window     which stretch of time a moment belongs to (fixed lengths, calendars with daylight saving, none)
    price      tokens to nano-dollars, with the one rounding rule
    estimate   the most that a request can cost before it runs; what is booked when nobody counted its tokens
    belief     what a provider says that it counted, and what of that can be true
    policy     a limit with its stages, and the name of the counter that it draws on
    ledger     reserve, settle, expire: transitions on counters and reservations, idempotent by request
    admission  what to tell the client: room, stage, Retry-After
    reconciliation  what the gateways counted and no report booked
    usage      the document of `GET /v1/usage`
    spend      the snapshot of what was spent in each window, and by whom
    configuration  the budget server's configuration: policies, consumers, prices; versioned JSON

Stores and servers live in `budgetserver`; they apply these transitions, atomically, and decide nothing themselves.
All times are Unix milliseconds, all money is nano-dollars (1 USD = 1,000,000,000).
"""
