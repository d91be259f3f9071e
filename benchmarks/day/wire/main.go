// What stands at both ends of the gateways while a day is replayed: clients that send each request when it is due, and
// providers that answer as late and as long as requests ask. Go's standard library only; loopback only; bounded by a
// plan that is read from a file.
package main

import (
	"encoding/json"
	"log"
	"net"
	"os"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("want: load FILE | provide FILE")
	}
	switch os.Args[1] {
	case "load":
		load(os.Args[2])
	case "provide":
		provide(os.Args[2])
	default:
		log.Fatalf("got %q, want load or provide", os.Args[1])
	}
}

func read(path string, into any) {
	content, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		log.Fatalf("%s: %v", path, err)
	}
}

func onLoopback(address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		log.Fatalf("got %q, want a loopback address", address)
	}
}
