//go:build tools

// Package tools names metrics-server. A module and a folder of its own: a change of it builds nothing else anew.
package tools

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
