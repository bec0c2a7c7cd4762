//go:build tools

// Package jaeger names the program that is built from this module.
package jaeger

import _ "github.com/jaegertracing/jaeger/cmd/all-in-one"
