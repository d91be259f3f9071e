module fairlead.dev/benchmarks/load

go 1.22
