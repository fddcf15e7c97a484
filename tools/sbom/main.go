// Command sbom writes what an image is made of: a bill of materials in the format of
// CycloneDX, of Debian's packages and the Go modules in the binary, and the licences of
// these modules, which have to come along. Those of Debian's lie in /usr/share/doc.
package main

import (
	"bufio"
	"cmp"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/textproto"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/licensecheck"
)

func main() {
	binary := flag.String("binary", "", "the program")
	status := flag.String("status", "/var/lib/dpkg/status", "Debian's list of what is installed")
	suite := flag.String("suite", "", "of Debian, such as trixie")
	out := flag.String("out", ".", "the directory that sbom.cdx.json and licences/ are written to")
	flag.Parse()
	log.SetFlags(0)
	if err := write(*binary, *status, *suite, *out); err != nil {
		log.Fatalln("sbom:", err)
	}
}

func write(binary, status, suite, out string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	modules, err := goModules(info, out)
	if err != nil {
		return err
	}
	packages, err := debian(status, suite)
	if err != nil {
		return err
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Component: &cdx.Component{Type: cdx.ComponentTypeContainer, Name: "pidgeon"}}
	components := append(modules, packages...)
	bom.Components = &components
	file, err := os.Create(filepath.Join(out, "sbom.cdx.json"))
	if err != nil {
		return err
	}
	encoder := cdx.NewBOMEncoder(file, cdx.BOMFileFormatJSON).SetPretty(true)
	return errors.Join(encoder.EncodeVersion(bom, cdx.SpecVersion1_6), file.Close())
}

// goModules are those in a binary. Their licences are copied to out.
func goModules(info *buildinfo.BuildInfo, out string) (all []cdx.Component, err error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	list, err := exec.Command("go", "list", "-m", "-f", "{{.Path}} {{.Dir}}", "all").Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	dirs := map[string]string{"stdlib": strings.TrimSpace(string(root))}
	for line := range strings.Lines(string(list)) {
		module, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		dirs[module] = dir
	}
	add := func(module, version string) error {
		named, err := licence(dirs[module], filepath.Join(out, "licences", module))
		all = append(all, cdx.Component{
			Type: cdx.ComponentTypeLibrary, Name: module, Version: version, Licenses: named,
			PackageURL: "pkg:golang/" + module + "@" + version,
		})
		return err
	}
	if err := add("stdlib", strings.TrimPrefix(info.GoVersion, "go")); err != nil {
		return nil, err
	}
	for _, d := range info.Deps {
		if err := add(d.Path, cmp.Or(d.Replace, d).Version); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// licence copies the files that a module's licence is in, and names it.
func licence(from, to string) (*cdx.Licenses, error) {
	files, err := os.ReadDir(from)
	if err != nil {
		return nil, err
	}
	var named cdx.Licenses
	for _, f := range files {
		if !licences.MatchString(f.Name()) || f.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, f.Name()))
		if err := errors.Join(err, os.MkdirAll(to, 0o755), os.WriteFile(filepath.Join(to, f.Name()), text, 0o644)); err != nil {
			return nil, err
		}
		for _, match := range licensecheck.Scan(text).Match {
			named = append(named, cdx.LicenseChoice{License: &cdx.License{ID: match.ID}})
		}
	}
	if len(named) == 0 {
		return nil, fmt.Errorf("no licence is known in %s", from)
	}
	return &named, nil
}

// licences are the names of files that one is in.
var licences = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice)`)

// debian are the packages that are installed.
func debian(status, suite string) (all []cdx.Component, err error) {
	file, err := os.Open(status)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	for r := textproto.NewReader(bufio.NewReader(file)); ; {
		p, err := r.ReadMIMEHeader()
		if len(p) > 0 && strings.HasSuffix(p.Get("Status"), " installed") {
			name, version := p.Get("Package"), p.Get("Version")
			all = append(all, cdx.Component{
				Type: cdx.ComponentTypeLibrary, Name: name, Version: version,
				PackageURL: fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s&distro=%s", url.PathEscape(name), url.PathEscape(version), p.Get("Architecture"), suite),
			})
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", status, err)
		}
	}
}
