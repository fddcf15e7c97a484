package finding

// Code is the stable name of a kind of finding, for scripts and for
// docs/findings.md, where each has its meaning and its cure.
type Code string

// Faults of the text of a file.
const (
	ByteOrderMark    Code = "byte-order-mark"
	NULByte          Code = "nul-byte"
	UnclosedSection  Code = "unclosed-section"
	UnexpectedBrace  Code = "unexpected-brace"
	OneLineSection   Code = "one-line-section"
	UnnamedSection   Code = "unnamed-section"
	NoSetting        Code = "no-setting"
	RecursiveInclude Code = "recursive-include"
	TemplateError    Code = "template-error"
	ScriptError      Code = "script-error"
)

// Faults of a setting.
const (
	UnknownSetting  Code = "unknown-setting"
	UnknownProtocol Code = "unknown-protocol"
	OtherDialect    Code = "other-dialect"
	OtherMeaning    Code = "other-meaning"
	ObsoleteSetting Code = "obsolete-setting"
	InvalidValue    Code = "invalid-value"
	OwnedSetting    Code = "owned-setting"
	Refused         Code = "refused"
)

// Faults of things that a setting names.
const (
	MissingFile         Code = "missing-file"
	UnreadableFile      Code = "unreadable-file"
	MissingPlugin       Code = "missing-plugin"
	MissingExecutable   Code = "missing-executable"
	MissingUser         Code = "missing-user"
	MissingGroup        Code = "missing-group"
	UnusableCertificate Code = "unusable-certificate"
	ForeignKey          Code = "foreign-key"
	ExpiredCertificate  Code = "expired-certificate"
	ExpiringCertificate Code = "expiring-certificate"
	SelfSigned          Code = "self-signed"
)

// Settings and files without the effect that was meant.
const (
	NoEffect        Code = "no-effect"
	Overwritten     Code = "overwritten"
	SameValue       Code = "same-value"
	Undercut        Code = "undercut"
	Overshoot       Code = "overshoot"
	LimitTooLow     Code = "limit-too-low"
	ChangedListener Code = "changed-listener"
	CarriedOver     Code = "carried-over"
	IgnoredFile     Code = "ignored-file"
)

// Faults outside of the files.
const (
	Environment     Code = "environment"
	CannotListen    Code = "cannot-listen"
	RehearsalFailed Code = "rehearsal-failed"
	BackendDown     Code = "backend-down"
	CheckFailed     Code = "check-failed"
	MoreFaults      Code = "more-faults"
	Remark          Code = "remark"
)
