// Open-loop load: requests leave on a fixed clock whether or not earlier ones came back, and latency counts from the
// moment a request was due, so that a slow proxy cannot hide its queue (Go's standard library only; closed-loop load is
// wrk's). Prints one JSON object. It talks to loopback only and is bounded in count and time.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"
	"sync"
	"time"
)

type sample struct {
	firstByte, whole time.Duration
	ok               bool
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

func milliseconds(samples []sample, pick func(sample) time.Duration) map[string]float64 {
	values := []float64{}
	for _, s := range samples {
		if s.ok {
			values = append(values, float64(pick(s).Microseconds())/1000)
		}
	}
	sort.Float64s(values)
	return map[string]float64{"p50": quantile(values, 0.5), "p90": quantile(values, 0.9), "p99": quantile(values, 0.99)}
}

func main() {
	target := flag.String("url", "", "where to send (loopback only)")
	rate := flag.Float64("rate", 100, "requests per second")
	seconds := flag.Float64("seconds", 5, "how long, at most 60")
	body := flag.String("body", "", "file with the request body")
	connections := flag.Int("connections", 32, "idle connections kept")
	serving := flag.String("serve", "", "send no load, but answer here with the events of -body")
	var headers multi
	flag.Var(&headers, "header", "`Name: value`, may repeat")
	flag.Parse()

	if *serving != "" {
		stream, err := os.ReadFile(*body)
		if err != nil {
			log.Fatal(err)
		}
		serve(*serving, stream)
	}
	parsed, err := url.Parse(*target)
	if err != nil || !net.ParseIP(parsed.Hostname()).IsLoopback() || *seconds > 60 {
		log.Fatal("want a loopback address and at most 60 seconds")
	}
	payload, err := os.ReadFile(*body)
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: *connections, MaxConnsPerHost: 0, DisableCompression: true},
	}
	count := int(*rate * *seconds)
	samples := make([]sample, count)
	var wait sync.WaitGroup
	start := time.Now()
	for i := range count {
		due := start.Add(time.Duration(float64(i) / *rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		wait.Add(1)
		go func() {
			defer wait.Done()
			samples[i] = send(client, *target, string(payload), headers, due)
		}()
	}
	wait.Wait()
	good := 0
	for _, s := range samples {
		if s.ok {
			good++
		}
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"sent": count, "ok": good,
		"first_byte_ms": milliseconds(samples, func(s sample) time.Duration { return s.firstByte }),
		"whole_ms":      milliseconds(samples, func(s sample) time.Duration { return s.whole }),
	})
}

func send(client *http.Client, target, payload string, headers multi, due time.Time) sample {
	request, err := http.NewRequest(http.MethodPost, target, strings.NewReader(payload))
	if err != nil {
		return sample{}
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return sample{}
	}
	defer response.Body.Close()
	first := time.Since(due)
	if _, err = io.Copy(io.Discard, response.Body); err != nil {
		return sample{}
	}
	return sample{firstByte: first, whole: time.Since(due), ok: response.StatusCode == http.StatusOK}
}

type multi []string

func (m *multi) String() string     { return strings.Join(*m, ", ") }
func (m *multi) Set(v string) error { *m = append(*m, v); return nil }
