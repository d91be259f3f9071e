package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// firstByte is the part of an answer's time after which a stream begins.
const firstByte = 0.4

const bytesPerToken = 4

type place struct {
	Caller      string  `json:"caller"`
	Address     string  `json:"address"`
	RoundTripMS float64 `json:"round_trip_ms"`
}

type providing struct {
	Key     string   `json:"key"`
	Models  []string `json:"models"`
	Journal string   `json:"journal"`
	// One for each region whose gateway may ask: what lies between the two is added to each answer.
	Places []place `json:"places"`
}

type question struct {
	Model         string `json:"model"`
	Stream        bool   `json:"stream"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	Messages []struct {
		Content string `json:"content"`
	} `json:"messages"`
	// Strings, as the real API wants them: `number`, `completion_tokens`, `takes_ms`.
	Metadata map[string]string `json:"metadata"`
}

// told is a line of the journal: what the provider charges for.
type told struct {
	Number     string  `json:"number"`
	Caller     string  `json:"caller"`
	Model      string  `json:"model"`
	Prompt     int     `json:"prompt"`
	Completion int     `json:"completion"`
	Whole      bool    `json:"whole"`
	LateMS     float64 `json:"late_ms"`
}

type provider struct {
	providing
	journal *os.File
	writing sync.Mutex
}

func provide(path string) {
	var one provider
	read(path, &one.providing)
	journal, err := os.OpenFile(one.Journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	one.journal = journal
	failed := make(chan error)
	for _, where := range one.Places {
		onLoopback(where.Address)
		listening, err := net.Listen("tcp", where.Address)
		if err != nil {
			log.Fatal(err)
		}
		go func() { failed <- http.Serve(listening, one.at(where)) }()
	}
	fmt.Println("ready")
	log.Fatal(<-failed)
}

func (one *provider) at(where place) http.Handler {
	far := time.Duration(where.RoundTripMS * float64(time.Millisecond))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(far)
		data := []map[string]string{}
		for _, model := range one.Models {
			data = append(data, map[string]string{"id": model, "object": "model"})
		}
		answer(w, http.StatusOK, map[string]any{"object": "list", "data": data})
	})
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		if r.Header.Get("Authorization") != "Bearer "+one.Key {
			refuse(w, http.StatusUnauthorized, "invalid_api_key", "wrong key")
			return
		}
		var asked question
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) == 0 {
			refuse(w, http.StatusBadRequest, "invalid_request", "want a chat request")
			return
		}
		if !one.serves(asked.Model) {
			refuse(w, http.StatusNotFound, "model_not_found", "no such model")
			return
		}
		one.complete(w, asked, where.Caller, began.Add(far))
	})
	return mux
}

func (one *provider) serves(model string) bool {
	for _, known := range one.Models {
		if known == model {
			return true
		}
	}
	return false
}

func (one *provider) complete(w http.ResponseWriter, asked question, caller string, began time.Time) {
	tokens, bad := strconv.Atoi(asked.Metadata["completion_tokens"])
	takes, worse := strconv.ParseFloat(asked.Metadata["takes_ms"], 64)
	if bad != nil || worse != nil || tokens < 1 || takes < 0 {
		refuse(w, http.StatusBadRequest, "invalid_request", "want metadata.completion_tokens and takes_ms")
		return
	}
	prompt := 0
	for _, message := range asked.Messages {
		prompt += len(message.Content)
	}
	line := told{
		Number: asked.Metadata["number"], Caller: caller, Model: asked.Model, Prompt: prompt / bytesPerToken, Completion: tokens,
	}
	end := began.Add(time.Duration(takes * float64(time.Millisecond)))
	if asked.Stream {
		line.Whole = stream(w, asked, line, began, end)
	} else {
		time.Sleep(time.Until(end))
		choice := map[string]any{
			"index": 0, "finish_reason": "stop",
			"message": map[string]string{"role": "assistant", "content": strings.Repeat(" word", tokens)},
		}
		line.Whole = answer(w, http.StatusOK, map[string]any{
			"id": "chatcmpl-" + line.Number, "object": "chat.completion", "created": 1, "model": asked.Model,
			"choices": []any{choice}, "usage": usage(line),
		}) == nil
	}
	line.LateMS = float64(time.Since(end).Microseconds()) / 1000
	text, _ := json.Marshal(line)
	one.writing.Lock()
	defer one.writing.Unlock()
	one.journal.Write(append(text, '\n'))
}

// stream writes each token as an event of its own, evenly from the first byte to the end.
func stream(w http.ResponseWriter, asked question, line told, began, end time.Time) bool {
	first := began.Add(time.Duration(firstByte * float64(end.Sub(began))))
	head := fmt.Sprintf(
		`data: {"id":"chatcmpl-%s","object":"chat.completion.chunk","created":1,"model":%q,"choices":[`, line.Number, asked.Model)
	event := []byte(head + `{"index":0,"delta":{"content":" word"},"finish_reason":null}]}` + "\n\n")
	last := []string{head + `{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"}
	if asked.StreamOptions.IncludeUsage {
		text, _ := json.Marshal(usage(line))
		last = append(last, head+`],"usage":`+string(text)+"}\n\n")
	}
	last = append(last, "data: [DONE]\n\n")
	w.Header().Set("content-type", "text/event-stream")
	flusher := w.(http.Flusher)
	step := float64(end.Sub(first)) / float64(line.Completion)
	for i := range line.Completion {
		if wait := time.Until(first.Add(time.Duration(float64(i) * step))); wait > 0 {
			time.Sleep(wait)
		}
		if _, err := w.Write(event); err != nil {
			return false
		}
		flusher.Flush()
	}
	time.Sleep(time.Until(end))
	for _, text := range last {
		if _, err := w.Write([]byte(text)); err != nil {
			return false
		}
		flusher.Flush()
	}
	return true
}

func usage(line told) map[string]int {
	return map[string]int{
		"prompt_tokens": line.Prompt, "completion_tokens": line.Completion, "total_tokens": line.Prompt + line.Completion,
	}
}

func answer(w http.ResponseWriter, status int, document any) error {
	text, _ := json.Marshal(document)
	w.Header().Set("content-type", "application/json")
	w.Header().Set("content-length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, err := w.Write(text)
	return err
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": message, "type": code}})
}
