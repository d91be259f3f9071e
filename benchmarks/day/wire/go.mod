module fairlead.dev/benchmarks/day

go 1.22
