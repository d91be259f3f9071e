"""Windows, prices and the ledger, in integer nano-dollars."""
