"""Flood gateways that may take 256, 512 and 1,024 MiB, each flood against a gateway of its own. Root only.

python -m benchmarks.floods [--memory MIB ...] [--only WORDS] [--seconds S] [--workers N]
"""

import argparse
import multiprocessing
import os
import resource

from benchmarks.floods import clients
from benchmarks.floods.flooded import MIB, run
from fairlead import ir


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memory", type=int, nargs="*", default=[256, 512, 1024], metavar="MIB")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
    multiprocessing.set_start_method("spawn")
    print("| MiB | flood | gateway | most memory | most in sockets | both | after | flooders | others |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    limits = ir.Limits(request_bytes=16 * MIB)
    for memory in options.memory:
        for name in clients.FLOODS:
            if options.only in name:
                print(run(name, memory * MIB, options.seconds, limits, options.workers), flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
