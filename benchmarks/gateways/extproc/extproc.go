// Names the external processor of Envoy AI Gateway, so that the module builds it: `go install` of it by version does not.
package main

import _ "github.com/envoyproxy/ai-gateway/cmd/extproc/mainlib"

func main() {}
