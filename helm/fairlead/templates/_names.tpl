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

{{/* How gateways run here: one entry per served region, `gateway` overridden by `regions`. The operator reads it. */}}
{{- define "fairlead.gateways" -}}
{{- $known := list }}{{ range .Values.installation.regions }}{{ $known = append $known .name }}{{ end }}
{{- $served := default $known .Values.installation.serve }}
{{- range $served }}{{ if not (has . $known) }}{{ fail (printf "installation.serve: got `%s`, want names of `installation.regions`, add the region or remove it" .) }}{{ end }}{{ end }}
{{- range $region, $_ := .Values.regions }}{{ if not (has $region $served) }}{{ fail (printf "regions: got `%s`, want regions that this cluster serves (%s)" $region (join ", " $served)) }}{{ end }}{{ end }}
{{- $regions := dict }}
{{- range $served }}{{ $_ := set $regions . (mergeOverwrite (deepCopy $.Values.gateway) (deepCopy (default dict (get $.Values.regions .)))) }}{{ end }}
{{- $image := .Values.images.gateway }}
{{- $budget := dict }}
{{- if .Values.budgetServer.enabled }}{{ $host := printf "%s-budget-server.%s.svc" (include "fairlead.fullname" .) .Release.Namespace }}
{{- $budget = dict "rpc" (printf "%s:8081" $host) "usage" (printf "%s:8082" $host) "book" (printf "%s-book" (include "fairlead.fullname" .)) }}{{ end }}
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
  "budgetServer" $budget
  "regions" $regions | toPrettyJson }}
{{- end }}
