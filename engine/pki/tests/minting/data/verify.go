// Verifies certificate chains as Go's TLS client does. Arguments: root, chain, name, again and again.
// Says "accepted" or "refused" and why for each.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func read(path string) []*x509.Certificate {
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	var found []*x509.Certificate
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return found
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			panic(err)
		}
		found = append(found, certificate)
	}
}

func main() {
	arguments := os.Args[1:]
	for len(arguments) >= 3 {
		roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(read(arguments[0])[0])
		chain := read(arguments[1])
		for _, above := range chain[1:] {
			intermediates.AddCert(above)
		}
		_, err := chain[0].Verify(x509.VerifyOptions{
			DNSName:       arguments[2],
			Roots:         roots,
			Intermediates: intermediates,
			KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		})
		if err == nil {
			fmt.Println("accepted", arguments[2])
		} else {
			fmt.Println("refused", arguments[2], err)
		}
		arguments = arguments[3:]
	}
}
