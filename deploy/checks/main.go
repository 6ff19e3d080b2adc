// Command deploycheck reads the files of deploy/ as the programs that will run them do: Kubernetes' own types (strictly, so that an
// unknown field is an error), Compose's own loader, BuildKit's own Dockerfile parser and Grafana's own types.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Printf("%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

func check(path string) error {
	switch {
	case strings.Contains(path, "Dockerfile"):
		return dockerfile(path)
	case strings.HasSuffix(path, "compose.yaml"):
		return compose(path)
	case strings.HasSuffix(path, ".json"):
		return grafana(path)
	default:
		return manifests(path)
	}
}

func dockerfile(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return err
	}
	if len(parsed.Warnings) > 0 {
		return fmt.Errorf("%s", parsed.Warnings[0].Short)
	}
	_, _, err = instructions.Parse(parsed.AST, nil)
	return err
}

func compose(path string) error {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithEnv([]string{"POSTGRES_PASSWORD=x", "PROJECT=/srv/project"}), cli.WithProfiles([]string{"*"}))
	if err != nil {
		return err
	}
	_, err = options.LoadProject(context.Background())
	return err
}

func manifests(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, document := range strings.Split(string(content), "\n---\n") {
		var head struct{ APIVersion, Kind string }
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			return err
		}
		kinds := map[string]any{
			"batch/v1 CronJob":                       &batchv1.CronJob{},
			"v1 PersistentVolumeClaim":               &corev1.PersistentVolumeClaim{},
			"v1 ConfigMap":                           &corev1.ConfigMap{},
			"v1 Service":                             &corev1.Service{},
			"apps/v1 Deployment":                     &appsv1.Deployment{},
			"policy/v1 PodDisruptionBudget":          &policyv1.PodDisruptionBudget{},
			"autoscaling/v2 HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscaler{},
		}
		kind, known := kinds[head.APIVersion+" "+head.Kind]
		if !known {
			return fmt.Errorf("unknown kind %s %s", head.APIVersion, head.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(document), kind); err != nil {
			return err
		}
	}
	return nil
}
