//go:build tools

// Package tools names what a cluster needs beside Kubernetes: its DNS server, and Helm. A module of its own, because
// Kubernetes replaces its staging modules and these two must not.
package tools

import (
	_ "github.com/coredns/coredns"
	_ "helm.sh/helm/v4/cmd/helm"
)
