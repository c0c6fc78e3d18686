package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/yodel-mq/yodel/transport/mtls"
	"github.com/yodel-mq/yodel/transport/zmtp/curve"
)

const keygenHelp = `A CURVE key pair is written to FILE, which must not exist yet and is for its owner alone (mode
0600), in the form that czmq and pyzmq have. The public key, which others may know, is printed in Z85.

  yodel keygen server.key
  yodel pull --bind tcp://*:5557 --curve-server --curve-key server.key
  yodel push --connect tcp://server:5557 --curve-server-key KEY      (what keygen has printed)

With --tls NAME it is a private key for TLS instead, in PEM, and FILE.crt a certificate for it that says
it is for NAME, valid for ten years; no authority vouches for it. The hash of the key, for --tls-pin, is
printed.

  yodel keygen --tls server server.pem
  yodel pull --bind tls://*:5558 --tls-key server.pem --tls-cert server.pem.crt --tls-any-client
  yodel push --connect tls://server:5558 --tls-pin HASH              (what keygen has printed)`

func (a *app) keygenCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key pair",
		Long:  "Make a key pair.\n\n" + keygenHelp,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := args[0]
			if path == "" {
				return usagef("FILE is empty")
			}
			if !cmd.Flags().Changed("tls") {
				key := curve.GenerateKey()
				defer key.Wipe()
				if err := curve.WriteKeyFile(path, key); err != nil {
					return failf("%w", err)
				}
				return a.printKey("public_key", key.Public().String())
			}
			if strings.TrimSpace(name) == "" {
				return usagef("--tls is empty: give it a name")
			}
			cert, err := mtls.SelfSigned(name)
			if err != nil {
				return usagef("--tls: %w", err)
			}
			if err := mtls.WriteFiles(path+".crt", path, cert); err != nil {
				return failf("%w", err)
			}
			return a.printKey("key_hash", mtls.KeyHashOf(cert.Leaf).String())
		},
	}
	cmd.Flags().StringVar(&name, "tls", "", "make a key and a certificate for TLS, for `NAME`")
	return cmd
}

// printKey prints what others may know.
func (a *app) printKey(name, text string) error {
	if a.json {
		b, err := json.Marshal(map[string]string{name: text})
		if err != nil {
			return err
		}
		text = string(b)
	}
	if _, err := fmt.Fprintln(a.stdout, text); err != nil {
		return &errOutput{err}
	}
	return nil
}
