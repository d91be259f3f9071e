{{- define "fairlead.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}
{{- end }}

{{/* What tells this release's pods of one component from all others. Arguments: root, component. */}}
{{- define "fairlead.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "fairlead.labels" -}}
{{ include "fairlead.selector" . }}
app.kubernetes.io/part-of: fairlead
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* repository:tag or repository@digest. Arguments: image, default (tag). */}}
{{- define "fairlead.image" -}}
{{- if .image.digest }}{{ .image.repository }}@{{ .image.digest }}{{ else }}{{ .image.repository }}:{{ default .default .image.tag }}{{ end }}
{{- end }}

{{- define "fairlead.installation" -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.installation) (dict "namespace" .Release.Namespace)) }}
{{- end }}

{{/* What keeps the counters: `secret` (its URL is in one), `url`, `bundled`, or `file` for one server's own. */}}
{{- define "fairlead.store" -}}
{{- if .Values.budgetServer.storeSecret.name }}secret
{{- else if dig "budgets" "store" "" .Values.installation }}url
{{- else if .Values.budgetStore.enabled }}bundled
{{- else }}file
{{- end }}
{{- end }}

{{/* Where answers are that gateways share: `secret` (its URL is in one), `url`, or nothing: the store of the counters. */}}
{{- define "fairlead.answersStore" -}}
{{- if .Values.budgetServer.answersStoreSecret.name }}secret
{{- else if dig "cache" "store" "" .Values.installation }}url
{{- end }}
{{- end }}

{{/* Whether the chart runs the store itself; empty = no. */}}
{{- define "fairlead.bundlesStore" -}}
{{- if and .Values.budgetServer.enabled (eq (include "fairlead.store" .) "bundled") }}true{{ end }}
{{- end }}

{{/* The Secret of the bundled store: `password`, `redis.conf` and `url`. */}}
{{- define "fairlead.storeSecret" -}}
{{- default (printf "%s-budget-store" (include "fairlead.fullname" .)) .Values.budgetStore.passwordSecret }}
{{- end }}

{{- define "fairlead.storeConfiguration" -}}
include /etc/fairlead-password/redis.conf
bind * -::*
port 6379
dir /data
# Every step is in the file before it is answered; on disk a second later, so a node that dies takes one second at most.
appendonly yes
appendfsync everysec
save ""
# A counter must never go to make room: a full store refuses, and `failurePolicy` decides.
maxmemory {{ .Values.budgetStore.maxMemoryMegabytes }}mb
maxmemory-policy noeviction
{{- end }}

{{/* Four fifths of the time that a check may take, in seconds: the store gives up before the gateway does, so that the answer says so. */}}
{{- define "fairlead.storeTimeout" -}}
{{- $milliseconds := 0 }}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" (dig "budgets" "timeout" "250ms" .Values.installation) -1 }}
{{- $milliseconds = add $milliseconds (mul (regexFind "^[0-9]+" . | int64) (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- divf (max 1 (div (mul $milliseconds 4) 5)) 1000 }}
{{- end }}

{{/* How gateways run here: one entry per served region, `gateway` overridden by `regions`. The operator reads it. */}}
{{- define "fairlead.gateways" -}}
{{- $known := list }}{{ range .Values.installation.regions }}{{ $known = append $known .name }}{{ end }}
{{- $served := include "fairlead.served" . | fromJsonArray }}
{{- range $served }}{{ if not (has . $known) }}{{ fail (printf "installation.serve: got `%s`, want names of `installation.regions`, add the region or remove it" .) }}{{ end }}{{ end }}
{{- range $region, $_ := .Values.regions }}{{ if not (has $region $served) }}{{ fail (printf "regions: got `%s`, want regions that this cluster serves (%s)" $region (join ", " $served)) }}{{ end }}{{ end }}
{{- $regions := dict }}
{{- range $served }}{{ $_ := set $regions . (mergeOverwrite (deepCopy $.Values.gateway) (deepCopy (default dict (get $.Values.regions .)))) }}{{ end }}
{{- range $region, $values := $regions }}{{ with $values.autoscaling }}{{ if .enabled }}
{{- if gt (int .minReplicas) (int .maxReplicas) }}{{ fail (printf "autoscaling of region `%s`: got minReplicas %v and maxReplicas %v, want no more of the first than of the second" $region .minReplicas .maxReplicas) }}{{ end }}
{{- if not (or (dig "requests" "cpu" "" $values.resources) (dig "limits" "cpu" "" $values.resources)) }}{{ fail (printf "autoscaling of region `%s`: got no resources.requests.cpu, want one, which targetCPUUtilizationPercentage is a share of" $region) }}{{ end }}
{{- end }}{{ end }}{{ end }}
{{- $image := .Values.images.gateway }}
{{- $budget := dict }}
{{- if .Values.budgetServer.enabled }}{{ $host := printf "%s-budget-server.%s.svc" (include "fairlead.fullname" .) .Release.Namespace }}
{{- $budget = dict "rpc" (printf "%s:8081" $host) "usage" (printf "%s:8082" $host) "configuration" (printf "%s-book" (include "fairlead.fullname" .)) "shared" (has (include "fairlead.store" .) (list "secret" "url")) }}{{ end }}
{{- dict
  "namePrefix" (include "fairlead.fullname" .)
  "owner" (printf "%s-installation" (include "fairlead.fullname" .))
  "keysSecret" (printf "%s-keys" (include "fairlead.fullname" .))
  "serviceAccount" (printf "%s-gateway" (include "fairlead.fullname" .))
  "labels" (include "fairlead.labels" (dict "root" . "component" "gateway") | fromYaml)
  "selector" (include "fairlead.selector" (dict "root" . "component" "gateway") | fromYaml)
  "image" (include "fairlead.image" (dict "image" $image "default" ""))
  "pullPolicy" $image.pullPolicy
  "pullSecrets" .Values.images.pullSecrets
  "operatorImage" (include "fairlead.image" (dict "image" .Values.images.operator "default" .Chart.AppVersion))
  "operatorPullPolicy" .Values.images.operator.pullPolicy
  "budgetServer" $budget
  "recorder" (ternary (printf "%s-recorder.%s.svc:8084" (include "fairlead.fullname" .) .Release.Namespace) "" .Values.recorder.enabled)
  "whenAllDrained" .Values.anyRegion.whenAllDrained
  "regions" $regions | toPrettyJson }}
{{- end }}

{{/* The regions whose gateways run in this cluster, as JSON: a list of names. */}}
{{- define "fairlead.served" -}}
{{- $known := list }}{{ range .Values.installation.regions }}{{ $known = append $known .name }}{{ end }}
{{- default $known .Values.installation.serve | toJson }}
{{- end }}

{{/* What external-dns reads on the Service over all regions of this cluster; nothing when `dns` asks for none of it. */}}
{{- define "fairlead.dnsAnnotations" -}}
{{- with .Values.dns }}
{{- if and .hostname (eq .source "Service") }}
{{- if not $.Values.anyRegion.enabled }}{{ fail "dns.source: got `Service` with anyRegion.enabled `false`, want a Service to be annotated, or dns.source `DNSEndpoint`" }}{{ end }}
{{- if not (eq $.Values.anyRegion.service.type "LoadBalancer") }}{{ fail (printf "dns.source: got `Service` with anyRegion.service.type `%s`, want `LoadBalancer`, whose address external-dns reads, or dns.source `DNSEndpoint`" $.Values.anyRegion.service.type) }}{{ end }}
external-dns.alpha.kubernetes.io/hostname: {{ .hostname }}
external-dns.alpha.kubernetes.io/ttl: {{ .ttlSeconds | quote }}
{{- if eq .routing "Latency" }}
{{- $region := include "fairlead.served" $ | fromJsonArray | first }}
external-dns.alpha.kubernetes.io/set-identifier: {{ $region }}
external-dns.alpha.kubernetes.io/aws-region: {{ get .awsRegions $region | default $region }}
{{- with get .healthCheckIds $region }}
external-dns.alpha.kubernetes.io/aws-health-check-id: {{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The records of a DNSEndpoint: one for all addresses, or with latency routing one for each region of this cluster. */}}
{{- define "fairlead.dnsRecords" -}}
{{- $dns := .Values.dns }}
{{- $served := include "fairlead.served" . | fromJsonArray }}
{{- range $region, $_ := $dns.targets }}{{ if not (has $region $served) }}{{ fail (printf "dns.targets: got `%s`, want regions that this cluster serves (%s)" $region (join ", " $served)) }}{{ end }}{{ end }}
{{- range $served }}{{ if not (get $dns.targets .) }}{{ fail (printf "dns.targets: got no address of `%s`, want those at which clients reach its gateways" .) }}{{ end }}{{ end }}
{{- $records := list }}
{{- $all := list }}
{{- range $region := $served }}
{{- $targets := get $dns.targets $region }}
{{- $all = concat $all $targets }}
{{- $specific := list (dict "name" "aws/region" "value" (get $dns.awsRegions $region | default $region)) }}
{{- with get $dns.healthCheckIds $region }}{{ $specific = append $specific (dict "name" "aws/health-check-id" "value" .) }}{{ end }}
{{- $records = append $records (dict "dnsName" $dns.hostname "recordType" (include "fairlead.recordType" $targets) "recordTTL" $dns.ttlSeconds "targets" $targets "setIdentifier" $region "providerSpecific" $specific) }}
{{- end }}
{{- if eq $dns.routing "Simple" }}{{ $records = list (dict "dnsName" $dns.hostname "recordType" (include "fairlead.recordType" $all) "recordTTL" $dns.ttlSeconds "targets" (uniq $all)) }}{{ end }}
{{- toYaml $records }}
{{- end }}

{{/* A, AAAA or CNAME, by what the addresses are; they must be of one kind, and a CNAME has one. */}}
{{- define "fairlead.recordType" -}}
{{- $types := list }}
{{- range . }}{{ $types = append $types (ternary "A" (ternary "AAAA" "CNAME" (contains ":" .)) (regexMatch "^[0-9]+(\\.[0-9]+){3}$" .)) }}{{ end }}
{{- if or (gt (len (uniq $types)) 1) (and (has "CNAME" $types) (gt (len (uniq .)) 1)) }}{{ fail (printf "dns.targets: got %s for one record, want addresses of one kind: IPv4, IPv6, or one name" (join ", " .)) }}{{ end }}
{{- first $types }}
{{- end }}

{{/* What an operator of this release is to be: another one hands its lease over to one that is. */}}
{{- define "fairlead.revision" -}}
{{- $image := include "fairlead.image" (dict "image" .Values.images.operator "default" .Chart.AppVersion) -}}
{{- printf "%s\n%s\n%s\n%s" (include "fairlead.installation" .) (include "fairlead.gateways" .) $image .Chart.Version | sha256sum | trunc 16 -}}
{{- end -}}
