package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	patience      = 90 * time.Second
	mostRequests  = 200_000
	mostMS        = 1_200_000
	bytesOfAnEnd  = 300
	idleOfGateway = 512
)

type gateway struct {
	Region  string `json:"region"`
	Address string `json:"address"`
}

// way is a gateway that clients of a region may ask, the nearest first.
type way struct {
	Gateway     string  `json:"gateway"`
	RoundTripMS float64 `json:"round_trip_ms"`
}

type loading struct {
	Gateways []gateway         `json:"gateways"`
	Ways     map[string][]way  `json:"ways"`
	Keys     map[string]string `json:"keys"`
	Plan     string            `json:"plan"`
	Results  string            `json:"results"`
}

type due struct {
	Number  int     `json:"number"`
	AtMS    float64 `json:"at_ms"`
	Region  string  `json:"region"`
	Model   string  `json:"model"`
	Stream  bool    `json:"stream"`
	Prompt  int     `json:"prompt"`
	Tokens  int     `json:"completion"`
	TakesMS float64 `json:"takes_ms"`
}

type result struct {
	Number int `json:"number"`
	// Late: how long after it was due it was sent. The others are counted from when it was due.
	LateMS   float64 `json:"late_ms"`
	FirstMS  float64 `json:"first_ms"`
	WholeMS  float64 `json:"whole_ms"`
	Status   int     `json:"status"`
	Gateway  string  `json:"gateway"`
	By       string  `json:"by"`
	Attempts string  `json:"attempts"`
	// Gateways that were asked before this one.
	Moved int    `json:"moved"`
	Cut   bool   `json:"cut"`
	Error string `json:"error"`
}

type clients struct {
	loading
	transports map[string]*http.Client
	addresses  map[string]string
}

func load(path string) {
	var all clients
	read(path, &all.loading)
	all.transports, all.addresses = map[string]*http.Client{}, map[string]string{}
	for _, one := range all.Gateways {
		onLoopback(one.Address)
		all.addresses[one.Region] = one.Address
		all.transports[one.Region] = &http.Client{
			Timeout:   patience,
			Transport: &http.Transport{MaxIdleConnsPerHost: idleOfGateway, DisableCompression: true},
		}
	}
	plan := readPlan(all.Plan)
	results := make([]result, len(plan))
	var wait sync.WaitGroup
	fmt.Println("begun")
	start := time.Now()
	for i, one := range plan {
		at := start.Add(milliseconds(one.AtMS))
		time.Sleep(time.Until(at))
		wait.Add(1)
		go func() {
			defer wait.Done()
			results[i] = all.ask(one, at)
		}()
	}
	wait.Wait()
	write(all.Results, results)
}

func readPlan(path string) []due {
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	plan := []due{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var one due
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			log.Fatal(err)
		}
		plan = append(plan, one)
	}
	if len(plan) > mostRequests || len(plan) > 0 && plan[len(plan)-1].AtMS > mostMS {
		log.Fatalf("want at most %d requests in %d ms", mostRequests, mostMS)
	}
	return plan
}

func write(path string, results []result) {
	file, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	buffer := bufio.NewWriter(file)
	lines := json.NewEncoder(buffer)
	for _, one := range results {
		lines.Encode(one)
	}
	if err := errors.Join(buffer.Flush(), file.Close()); err != nil {
		log.Fatal(err)
	}
}

// ask goes from gateway to gateway as long as none answers: what the way-in page tells clients to do.
func (all *clients) ask(one due, at time.Time) result {
	found := result{Number: one.Number, LateMS: since(at)}
	body := payload(one)
	for moved, next := range all.Ways[one.Region] {
		time.Sleep(milliseconds(next.RoundTripMS))
		found.Gateway, found.Moved = next.Gateway, moved
		if all.once(&found, one, body, at) {
			return found
		}
	}
	return found
}

// once returns whether the gateway answered; a connection that breaks before does not count as an answer.
func (all *clients) once(found *result, one due, body string, at time.Time) bool {
	url := "http://" + all.addresses[found.Gateway] + "/v1/chat/completions"
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+all.Keys[one.Region])
	request.Header.Set("Content-Type", "application/json")
	response, err := all.transports[found.Gateway].Do(request)
	if err != nil {
		found.Error = err.Error()
		return false
	}
	defer response.Body.Close()
	found.FirstMS, found.Status, found.Error = since(at), response.StatusCode, ""
	found.By, found.Attempts = response.Header.Get("x-fairlead-region"), response.Header.Get("x-fairlead-attempts")
	end, err := drain(response.Body)
	found.WholeMS = since(at)
	switch {
	case err != nil:
		found.Cut, found.Error = true, err.Error()
	case found.Status != http.StatusOK:
		found.Error = end
	case one.Stream:
		found.Cut = !strings.HasSuffix(end, "data: [DONE]\n\n")
	default:
		found.Cut = !strings.HasSuffix(strings.TrimSpace(end), "}")
	}
	return true
}

// drain reads everything and returns how it ended.
func drain(body io.Reader) (string, error) {
	buffer, end := make([]byte, 16<<10), []byte{}
	for {
		count, err := body.Read(buffer)
		end = append(end, buffer[:count]...)
		end = end[max(0, len(end)-bytesOfAnEnd):]
		if err == io.EOF {
			return string(end), nil
		}
		if err != nil {
			return string(end), err
		}
	}
}

func payload(one due) string {
	text := strings.Repeat("word", one.Prompt)
	message := map[string]string{"role": "user", "content": text}
	document := map[string]any{
		"model": one.Model, "messages": []any{message},
		"metadata": map[string]string{
			"number": fmt.Sprint(one.Number), "completion_tokens": fmt.Sprint(one.Tokens), "takes_ms": fmt.Sprint(one.TakesMS),
		},
	}
	if one.Stream {
		document["stream"] = true
	}
	written, err := json.Marshal(document)
	if err != nil {
		log.Fatal(err)
	}
	return string(written)
}

func milliseconds(count float64) time.Duration {
	return time.Duration(count * float64(time.Millisecond))
}

func since(at time.Time) float64 { return float64(time.Since(at).Microseconds()) / 1000 }
