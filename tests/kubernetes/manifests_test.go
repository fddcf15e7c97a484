// Package kubernetes holds the manifests of deploy/kubernetes against the types of the API.
package kubernetes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"pidgeon/settings"
)

const manifests = "../../deploy/kubernetes"

// elsewhere are the secrets that come from an issuer of certificates.
var elsewhere = []string{"pidgeon-tls", "pidgeon-proxy-tls", "pidgeon-backend-tls"}

// workload is what a StatefulSet and a Deployment have in common.
type workload struct {
	name     string
	replicas int32
	selector *meta.LabelSelector
	template core.PodTemplateSpec
	claims   []core.PersistentVolumeClaim
	service  string
}

func (w workload) container() core.Container { return w.template.Spec.Containers[0] }

// set is all that is applied at once.
type set struct {
	*testing.T
	workloads []workload
	services  []core.Service
	policies  []networking.NetworkPolicy
	budgets   []policy.PodDisruptionBudget
	monitors  []monitoring.ServiceMonitor
	files     map[string]map[string]string // of ConfigMaps and Secrets, by name and key
}

func decode[T any](s *set, text []byte) (object T) {
	s.Helper()
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		s.Fatalf("%v\n%s", err, text)
	}
	return object
}

func (s *set) add(text []byte) {
	var of meta.TypeMeta
	if err := yaml.Unmarshal(text, &of); err != nil {
		s.Fatal(err)
	}
	switch of.APIVersion + " " + of.Kind {
	case "v1 Namespace":
		decode[core.Namespace](s, text)
	case "v1 ConfigMap":
		c := decode[core.ConfigMap](s, text)
		s.files[c.Name] = c.Data
	case "v1 Secret":
		c := decode[core.Secret](s, text)
		s.files[c.Name] = map[string]string{}
		for key, value := range c.Data {
			s.files[c.Name][key] = string(value)
		}
		for key, value := range c.StringData {
			s.files[c.Name][key] = value
		}
	case "v1 Service":
		s.services = append(s.services, decode[core.Service](s, text))
	case "networking.k8s.io/v1 NetworkPolicy":
		s.policies = append(s.policies, decode[networking.NetworkPolicy](s, text))
	case "policy/v1 PodDisruptionBudget":
		s.budgets = append(s.budgets, decode[policy.PodDisruptionBudget](s, text))
	case "monitoring.coreos.com/v1 ServiceMonitor":
		s.monitors = append(s.monitors, decode[monitoring.ServiceMonitor](s, text))
	case "apps/v1 StatefulSet":
		o := decode[apps.StatefulSet](s, text)
		s.workloads = append(s.workloads, workload{o.Name, *o.Spec.Replicas, o.Spec.Selector, o.Spec.Template, o.Spec.VolumeClaimTemplates, o.Spec.ServiceName})
	case "apps/v1 Deployment":
		o := decode[apps.Deployment](s, text)
		s.workloads = append(s.workloads, workload{o.Name, *o.Spec.Replicas, o.Spec.Selector, o.Spec.Template, nil, ""})
	default:
		s.Errorf("%s %s is no type that is known here", of.APIVersion, of.Kind)
	}
}

// selected are the workloads whose pods a selector means; there has to be one.
func (s *set) selected(by string, selector *meta.LabelSelector) (found []workload) {
	s.Helper()
	means, err := meta.LabelSelectorAsSelector(selector)
	if err != nil || means.Empty() {
		s.Errorf("%s has the selector %v: %v", by, selector, err)
	}
	for _, w := range s.workloads {
		if means.Matches(labels.Set(w.template.Labels)) {
			found = append(found, w)
		}
	}
	if len(found) == 0 {
		s.Errorf("%s selects no pod: %v", by, selector)
	}
	return found
}

func (s *set) hasPort(by string, w workload, name string) {
	s.Helper()
	if !slices.ContainsFunc(w.container().Ports, func(p core.ContainerPort) bool { return p.Name == name }) {
		s.Errorf("%s names the port %q, which %s has not", by, name, w.name)
	}
}

// file is the text that a container finds at a path, if it comes from the set.
func (s *set) file(w workload, path string) (string, bool) {
	for _, m := range w.container().VolumeMounts {
		key, inside := strings.CutPrefix(path, m.MountPath+"/")
		if !inside {
			continue
		}
		for _, v := range w.template.Spec.Volumes {
			name := ""
			switch {
			case v.Name != m.Name:
				continue
			case v.ConfigMap != nil:
				name = v.ConfigMap.Name
			case v.Secret != nil:
				name = v.Secret.SecretName
			}
			text, ok := s.files[name][key]
			return text, ok
		}
	}
	return "", false
}

func TestManifests(t *testing.T) {
	built := func(t *testing.T, dir string) (texts [][]byte) {
		made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(manifests, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range made.Resources() {
			text, err := r.AsYAML()
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, text)
		}
		return texts
	}
	for name, texts := range map[string]func(*testing.T) [][]byte{
		"base":  func(t *testing.T) [][]byte { return built(t, "base") },
		"large": func(t *testing.T) [][]byte { return built(t, "large") },
		"one-server": func(t *testing.T) [][]byte {
			text, err := os.ReadFile(filepath.Join(manifests, "one-server.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			return bytes.Split(text, []byte("\n---\n"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &set{T: t, files: map[string]map[string]string{}}
			for _, text := range texts(t) {
				s.add(text)
			}
			if len(s.workloads) == 0 || len(s.services) == 0 {
				t.Fatal("nothing serves")
			}
			for _, w := range s.workloads {
				s.checkWorkload(w)
			}
			s.checkReferences()
		})
	}
}

func (s *set) checkReferences() {
	for _, service := range s.services {
		for _, w := range s.selected("Service "+service.Name, &meta.LabelSelector{MatchLabels: service.Spec.Selector}) {
			for _, p := range service.Spec.Ports {
				s.hasPort("Service "+service.Name, w, p.TargetPort.StrVal)
			}
		}
	}
	for _, b := range s.budgets {
		for _, w := range s.selected("PodDisruptionBudget "+b.Name, b.Spec.Selector) {
			if b.Spec.MaxUnavailable.IntValue() >= int(w.replicas) {
				s.Errorf("PodDisruptionBudget %s lets all %d of %s go", b.Name, w.replicas, w.name)
			}
		}
	}
	for _, p := range s.policies {
		for _, w := range s.selected("NetworkPolicy "+p.Name, &p.Spec.PodSelector) {
			for _, rule := range p.Spec.Ingress {
				for _, port := range rule.Ports {
					s.hasPort("NetworkPolicy "+p.Name, w, port.Port.StrVal)
				}
				for _, from := range rule.From {
					if from.NamespaceSelector == nil {
						s.selected("NetworkPolicy "+p.Name+" from", from.PodSelector)
					}
				}
			}
		}
	}
	for _, m := range s.monitors {
		means, err := meta.LabelSelectorAsSelector(&m.Spec.Selector)
		if err != nil {
			s.Fatal(err)
		}
		scraped := map[string]bool{}
		for _, service := range s.services {
			for _, p := range service.Spec.Ports {
				if means.Matches(labels.Set(service.Labels)) && p.Name == m.Spec.Endpoints[0].Port {
					for _, w := range s.selected("Service "+service.Name, &meta.LabelSelector{MatchLabels: service.Spec.Selector}) {
						if scraped[w.name] {
							s.Errorf("ServiceMonitor %s counts %s twice", m.Name, w.name)
						}
						scraped[w.name] = true
					}
				}
			}
		}
		if len(scraped) != len(s.workloads) {
			s.Errorf("ServiceMonitor %s reads %v of %d", m.Name, scraped, len(s.workloads))
		}
	}
}

func (s *set) checkWorkload(w workload) {
	if found := s.selected(w.name, w.selector); len(found) > 1 {
		s.Errorf("%s selects the pods of others", w.name)
	}
	pod, c := w.template.Spec, w.container()
	if a := pod.Affinity; w.replicas > 1 {
		term := a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm
		if found := s.selected(w.name+"'s affinity", term.LabelSelector); len(found) != 1 || found[0].name != w.name {
			s.Errorf("%s keeps away from others than its own", w.name)
		}
	}
	for _, probe := range []*core.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
		switch {
		case probe == nil:
			s.Errorf("%s lacks a probe", w.name)
		case probe.HTTPGet != nil:
			s.hasPort("a probe", w, probe.HTTPGet.Port.StrVal)
		case probe.Exec == nil || !slices.Equal(probe.Exec.Command[:2], []string{"/usr/bin/pidgeon", "health"}):
			s.Errorf("%s is probed by %v", w.name, probe.ProbeHandler)
		}
	}
	p, q := pod.SecurityContext, c.SecurityContext
	if !*p.RunAsNonRoot || *p.RunAsUser != *p.FSGroup || p.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault ||
		*q.AllowPrivilegeEscalation || !*q.ReadOnlyRootFilesystem || !slices.Equal(q.Capabilities.Drop, []core.Capability{"ALL"}) {
		s.Errorf("%s may more than it needs: %+v %+v", w.name, p, q)
	}
	if c.Resources.Limits.Memory().Cmp(*c.Resources.Requests.Memory()) < 0 {
		s.Errorf("%s asks for more memory than it may have", w.name)
	}
	s.checkVolumes(w)
	s.checkSettings(w)
}

func (s *set) checkVolumes(w workload) {
	known := map[string]bool{}
	for _, v := range w.template.Spec.Volumes {
		known[v.Name] = true
		name := ""
		switch {
		case v.ConfigMap != nil:
			name = v.ConfigMap.Name
		case v.Secret != nil:
			name = v.Secret.SecretName
		default:
			continue
		}
		if _, ok := s.files[name]; !ok && !slices.Contains(elsewhere, name) {
			s.Errorf("%s mounts %s, which nobody makes", w.name, name)
		}
	}
	for _, claim := range w.claims {
		known[claim.Name] = true
	}
	for _, m := range w.container().VolumeMounts {
		if !known[m.Name] || m.SubPath != "" {
			s.Errorf("%s mounts %+v", w.name, m)
		}
		delete(known, m.Name)
	}
	if len(known) > 0 {
		s.Errorf("%s does not mount %v", w.name, known)
	}
}

// checkSettings has pidgeon read the environment, and the files that are known here.
func (s *set) checkSettings(w workload) {
	var environ []string
	pod := "" // the variable that has its name
	for _, e := range w.container().Env {
		if e.ValueFrom != nil && e.ValueFrom.FieldRef.FieldPath == "metadata.name" {
			pod = e.Name
			continue
		}
		e.Value = strings.ReplaceAll(e.Value, "$("+pod+")", w.name+"-0")
		if variable, isFile := strings.CutSuffix(e.Name, "_FILE"); isFile {
			text, ok := s.file(w, e.Value)
			if !ok {
				s.Errorf("%s: %s is at no volume of the set: %s", w.name, e.Name, e.Value)
			}
			e.Name, e.Value = variable, strings.TrimSpace(text)
		}
		if !slices.ContainsFunc(settings.Variables(), func(v settings.Variable) bool { return v.Name == e.Name }) {
			s.Errorf("%s: pidgeon has no %s", w.name, e.Name)
		}
		environ = append(environ, e.Name+"="+e.Value)
	}
	read, err := settings.Load(environ)
	if err != nil {
		s.Errorf("%s: %v", w.name, err)
	}
	ports := map[string]int32{}
	for _, p := range w.container().Ports {
		ports[p.Name] = p.ContainerPort
	}
	for name, want := range map[string]int{"imap": int(read.IMAPPort), "imaps": int(read.IMAPSPort), "lmtp": int(read.LMTPPort), "metrics": int(read.MetricsPort), "doveadm": int(read.DoveadmPort)} {
		if int(ports[name]) != want {
			s.Errorf("%s: the port %s is %d, and pidgeon listens on %d", w.name, name, ports[name], want)
		}
	}
	if !read.Proxy() {
		return
	}
	// The hosts are those that the StatefulSet's pods have from its headless Service.
	for _, backend := range s.workloads {
		if backend.service == "" {
			continue
		}
		if !slices.ContainsFunc(s.services, func(o core.Service) bool { return o.Name == backend.service && o.Spec.ClusterIP == core.ClusterIPNone }) {
			s.Errorf("%s has no headless Service %s", backend.name, backend.service)
		}
		var hosts settings.Hosts
		for i := range backend.replicas {
			hosts = append(hosts, fmt.Sprintf("%s-%d.%s", backend.name, i, backend.service))
		}
		if !slices.Equal(read.Backends, hosts) {
			s.Errorf("BACKENDS are %v, and the pods %v", read.Backends, hosts)
		}
	}
}
