package lint

import (
	"cmp"
	"context"
	"regexp"
	"strings"

	"pidgeon/dovecot"
	"pidgeon/finding"
)

// placed is a complaint in the operator's words: the line that it is about, and who
// wrote it.
func (c *Config) placed(ctx context.Context, d *dovecot.Dovecot, said dovecot.Complaint) finding.Finding {
	f := finding.Finding{File: c.origin(said.File), Line: said.Line, Problem: c.origins.Replace(said.Problem), Warning: !said.Fatal}
	section := ""
	if s := c.culprit(said); s != nil {
		section = s.around()
		f.File, f.Line = s.file.Origin, max(said.Line, s.first)
	}
	f.Code, f.Hint = understand(said.Problem)
	if name, ok := unknown(said.Problem); ok {
		f.Problem = "Unknown setting: " + name
		if hint := otherDialect(section, name, d.Dialect); hint != "" {
			f.Code, f.Hint = finding.OtherDialect, hint
		} else if defaults, err := d.Defaults(ctx); err == nil {
			f.Hint = cmp.Or(suggestion(defaults, section, name), f.Hint)
		}
	}
	return f
}

// "service(imap-login): process_limit must be higher than 0"
var ofSetting = regexp.MustCompile(`service\(([^)]+)\): (\w+)`)

// culprit is the statement that a complaint is about, nil if it is not known. Of a
// check of the whole, which blames the main file, it is the one in force: the last.
func (c *Config) culprit(said dovecot.Complaint) *statement {
	if said.Line > 0 {
		if f := c.byPath[said.File]; f != nil {
			return f.in(said.Line)
		}
		return nil
	}
	if m := ofSetting.FindStringSubmatch(said.Problem); m != nil {
		return c.last(c.service(m[1]), m[2])
	}
	key, _, _ := strings.Cut(said.Problem, ":")
	return c.last(nil, key)
}

// verdicts are what doveconf says, what kind of fault that is, and what to write
// instead. The first whose words occur counts.
var verdicts = [...]struct {
	words string
	code  finding.Code
	hint  string
}{
	{"Garbage after '{'", finding.OneLineSection, "write the {, each setting and the } on a line of its own"},
	{"Missing '}'", finding.UnclosedSection, "close the section that begins here with a } on a line of its own"},
	{"Unexpected '}'", finding.UnexpectedBrace, "remove it, or open its section with {"},
	{"Expecting '{'", finding.NoSetting, "write setting = value, or name { … }"},
	{"Missing key name", finding.NoSetting, "write setting = value"},
	{"is missing section name", finding.UnnamedSection, "write a name of your choice before the {"},
	{"is missing name", finding.UnnamedSection, "write the name of the service before the {"},
	{"restart_request_count must be higher than 0", finding.OtherDialect, "write restart_request_count = unlimited for what 2.3 called service_count = 0"},
	{"must be higher than 0", finding.InvalidValue, "leave it out for the default, or write a number"},
	{"Unknown protocol", finding.UnknownProtocol, "set PROTOCOLS to some of imap, pop3, lmtp, sieve and submission"},
	{"Recursive include", finding.RecursiveInclude, ""},
	{"No matches", finding.MissingFile, "mount the file and write its whole path: a relative one counts from the copy that Dovecot reads"},
	{"No such file", finding.MissingFile, "mount the file, or correct the path"},
	{"Permission denied", finding.UnreadableFile, "let this process read the file"},
	{"dovecot_config_version", finding.OwnedSetting, "leave it out: pidgeon sets it"},
	{"dovecot_storage_version", finding.OwnedSetting, "leave it out: pidgeon sets it"},
	{"Unknown setting", finding.UnknownSetting, "correct its name, or remove the line"},
	{"Unknown section name", finding.UnknownSetting, "correct its name, or remove the line"},
	{"Unknown variable", finding.InvalidValue, ""},
	{"Invalid ", finding.InvalidValue, ""},
	{"Not a valid", finding.InvalidValue, ""},
	{"Setting is a named", finding.InvalidValue, ""},
	{"lower than required", finding.LimitTooLow, "raise it to the number that is required, or leave it out: pidgeon sizes it"},
	{"won't change the setting inside", finding.NoEffect, "set it inside the filter too"},
	{"has been replaced", finding.ObsoleteSetting, ""},
	{"has been renamed", finding.ObsoleteSetting, ""},
	{"has been removed", finding.ObsoleteSetting, ""},
	{"no longer", finding.ObsoleteSetting, ""},
}

// understand tells what kind of fault doveconf reports, and what to write
// instead.
func understand(problem string) (finding.Code, string) {
	for _, v := range verdicts {
		if strings.Contains(problem, v.words) {
			return v.code, v.hint
		}
	}
	return finding.Refused, ""
}

// unknown is the name that doveconf does not know: "service { bogus" in 2.3,
// "bogus (service_bogus … not found either.)" in 2.4.
func unknown(problem string) (string, bool) {
	_, name, ok := strings.Cut(problem, "Unknown setting: ")
	if !ok {
		_, name, ok = strings.Cut(problem, "Unknown section name: ")
	}
	name, _, _ = strings.Cut(name, " (")
	return name[strings.LastIndex(name, " ")+1:], ok
}
