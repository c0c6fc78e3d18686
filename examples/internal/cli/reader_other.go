//go:build !linux && !darwin

package cli

import "os"

func watchReader(*os.File, func()) (stop func()) { return func() {} }
