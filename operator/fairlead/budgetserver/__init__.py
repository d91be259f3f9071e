"""`fairlead budget-server`: Envoy's rate limit service in dollars, the usage API, and the stores behind them.

messages     the protocol's messages, made at run time
descriptor   what a gateway asks and reports, as plain values
ratelimit    decides: room or not, what a report costs, who pays
answer       what a client is told
store        the protocol of stores; memory, sqlite, redisstore implement it, batch amortizes their round trips
backlog      settlements that the store could not take yet
reconciliation  books what reports lost, from the gateways' own counters
configuration_file  the configuration, loaded again when it changes
metrics      what the server says about itself
feedback     what a rating is, and of which answers
shelf        remembers answers that can be rated
ratings      `/v1/feedback`: takes ratings
shared_answer  what gateways leave for each other, and how it travels
answer_stores  where that lies: in Redis, by `seal`, or in memory
shared_answers `/v1/answers/` (`answers_web`): takes them, and gives them again
web          `/v1/usage`, `/v1/feedback`, `/v1/budgets`, `/metrics`, `/healthz`
server       all of it in one process
"""
