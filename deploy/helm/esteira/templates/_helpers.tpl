{{- define "esteira.name" -}}
{{- if contains "esteira" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-esteira" (.Release.Name | trunc 44 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "esteira.selector" -}}
app.kubernetes.io/name: esteira
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "esteira.labels" -}}
{{ include "esteira.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "esteira.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if hasPrefix "sha256:" $tag -}}
{{- printf "%s@%s" .Values.image.repository $tag -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository $tag -}}
{{- end -}}
{{- end -}}

{{/* What every container has: no privilege, no writable root, the same environment. */}}
{{- define "esteira.container" -}}
image: {{ include "esteira.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
workingDir: /project
command: [esteira]
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
envFrom:
  - secretRef: { name: {{ .root.Values.secret.name }} }
env:
  - name: HOME
    value: /var/lib/esteira
  - name: NODE_COMPILE_CACHE
    value: /tmp/node
  # It answers to its own address, by which Prometheus comes.
  - name: POD_IP
    valueFrom: { fieldRef: { fieldPath: status.podIP } }
volumeMounts:
  - name: project
    mountPath: /project
    readOnly: true
    {{- with .root.Values.project.subPath }}
    subPath: {{ . }}
    {{- end }}
  - { name: state, mountPath: /var/lib/esteira }
  - { name: temporary, mountPath: /tmp }
  - { name: audit-key, mountPath: /etc/esteira, readOnly: true }
{{- end -}}

{{- define "esteira.server" -}}
args:
  - up
  - --host=0.0.0.0
  - --roles={{ .roles }}
  - --allow-host=$(POD_IP)
  - --allow-host={{ include "esteira.name" .root }}-{{ .part }}
  - --allow-host={{ include "esteira.name" .root }}-{{ .part }}.{{ .root.Release.Namespace }}.svc
  {{- if .root.Values.ingress.enabled }}
  - --allow-host={{ .root.Values.ingress.host }}
  {{- end }}
  {{- range .root.Values.hostNames }}
  - --allow-host={{ . }}
  {{- end }}
  {{- range .values.extraArguments }}
  - {{ . | quote }}
  {{- end }}
ports:
  - { name: http, containerPort: 4740 }
# The first start migrates the store.
startupProbe:
  httpGet: { path: /livez, port: http, httpHeaders: [{ name: Host, value: localhost }] }
  periodSeconds: 2
  failureThreshold: 150
livenessProbe:
  httpGet: { path: /livez, port: http, httpHeaders: [{ name: Host, value: localhost }] }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: http, httpHeaders: [{ name: Host, value: localhost }] }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- end -}}

{{- define "esteira.pod" -}}
serviceAccountName: {{ include "esteira.name" .root }}
# Nothing here asks Kubernetes anything.
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - { name: {{ . }} }
  {{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "esteira.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "esteira.selector" . | nindent 8 }}
{{- end -}}

{{- define "esteira.volumes" -}}
- name: project
  {{- toYaml .Values.project.volume | nindent 2 }}
- name: temporary
  emptyDir: {}
- name: audit-key
  secret:
    secretName: {{ .Values.auditKey.secretName }}
    defaultMode: 0440
    items:
      - { key: {{ .Values.auditKey.key | quote }}, path: audit.pem }
{{- end -}}

{{- define "esteira.hasServing" -}}
{{- if or (gt (int .Values.serving.replicas) 0) .Values.serving.autoscaling.enabled -}}true{{- else -}}false{{- end -}}
{{- end -}}

{{/* Who answers predictions. */}}
{{- define "esteira.predicts" -}}
{{- ternary "serving" "engine" (include "esteira.hasServing" . | eq "true") -}}
{{- end -}}
