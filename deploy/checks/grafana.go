package main

import (
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// grafana reads a dashboard by Grafana's own types, panels and queries included; an unknown field is an error.
func grafana(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	plugins.RegisterDefaultPlugins()
	var read dashboard.Dashboard
	err = read.UnmarshalJSONStrict(content)
	if found, ok := err.(cog.BuildErrors); ok && len(found) == 0 {
		return nil // the library gives an empty list where nothing is wrong
	}
	return err
}
