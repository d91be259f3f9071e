package main

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// A provider that writes event by event, a millisecond apart, whatever is asked.
func serve(address string, stream []byte) {
	host, _, err := net.SplitHostPort(address)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		log.Fatal("want a loopback address")
	}
	events := bytes.SplitAfter(stream, []byte("\n\n"))
	answer := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("content-type", "text/event-stream")
		for _, event := range events {
			if _, err := w.Write(event); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			time.Sleep(time.Millisecond)
		}
	}
	log.Fatal(http.ListenAndServe(address, http.HandlerFunc(answer)))
}
