// Generated from flowbook/view/palette.py by `python -m flowbook.view.palette --write js/src/look.ts`. Edit that, not this.

export type Family = "good" | "bad" | "active" | "warn" | "waiting";

/** The order in which counts by family are shown. */
export const FAMILIES: readonly Family[] = ["good", "bad", "active", "warn", "waiting"];

/** What a count of a family is called. */
export const FAMILY_WORD: Readonly<Record<Family, string>> = {"good": "done", "bad": "failed", "active": "running", "warn": "held up or left out", "waiting": "waiting"};

/** The sign of a family where it is counted. */
export const FAMILY_GLYPH: Readonly<Record<Family, string>> = {"waiting": "○", "active": "▶", "good": "✓", "warn": "◇", "bad": "✗"};

/** Family of each state, by class name; any other state is waiting. */
export const FAMILY: Readonly<Record<string, Family>> = {
  "Pending": "waiting",
  "Scheduled": "waiting",
  "Queued": "waiting",
  "State": "waiting",
  "Running": "active",
  "Submitted": "active",
  "Resume": "active",
  "Cancelling": "active",
  "Mapping": "active",
  "Success": "good",
  "Cached": "good",
  "Mapped": "good",
  "Looped": "good",
  "Finished": "good",
  "Retrying": "warn",
  "Paused": "warn",
  "Skipped": "warn",
  "Cancelled": "warn",
  "Failed": "bad",
  "TriggerFailed": "bad",
  "TimedOut": "bad",
  "ValidationFailed": "bad",
  "ClientFailed": "bad"
};

/** Glyph of each state, by class name; any other state has that of State. */
export const GLYPH: Readonly<Record<string, string>> = {
  "Pending": "○",
  "Scheduled": "◷",
  "Queued": "◔",
  "State": "·",
  "Running": "▶",
  "Submitted": "◌",
  "Resume": "▷",
  "Cancelling": "◍",
  "Mapping": "▦",
  "Success": "✓",
  "Cached": "≡",
  "Mapped": "▤",
  "Looped": "∞",
  "Finished": "■",
  "Retrying": "↺",
  "Paused": "‖",
  "Skipped": "↷",
  "Cancelled": "⊘",
  "Failed": "✗",
  "TriggerFailed": "⚑",
  "TimedOut": "⋈",
  "ValidationFailed": "≠",
  "ClientFailed": "⊠"
};

/** States in which an attempt is under way. */
export const ATTEMPTS: readonly string[] = ["Cancelling", "Running"];

/** States in which a task run has ended, Looped left out: it starts anew at once. */
export const FINISHED: readonly string[] = ["Cached", "Cancelled", "Failed", "Finished", "Mapped", "Skipped", "Success", "TimedOut", "TriggerFailed", "ValidationFailed"];

/** Messages that say no more than their state. */
export const ROUTINE: readonly string[] = ["Waits for its turn.", "Starting task run.", "Task run succeeded.", "Task not run.", "All mapped children have ended."];

/** Inside a card: where texts begin, what stays free at the right, font size of the state line. */
export const CARD: { readonly left: number; readonly right: number; readonly size: number } = { left: 46, right: 12, size: 11 };

/** Widths of U+0020 to U+04FF in 32nds of an em, in base 62; see flowbook/view/measure.py. */
export const WIDTHS: Readonly<Record<"regular" | "bold", string>> = {
  "regular": "BDFRLVP9DDGRBCBBLLLLLLLLLLBBRRRIXMMOPMKPPAGMISOQMQOMKOMWMMMDBDRIGKLILKCLL99J9WLKLLEHDLJRJJHLBLR000000000000000000000000000000000BDLLLLBIGWGKR0WIGRDDGLLBGDGKWWWKMMMMMMWOMMMMAAAAPOQQQQQRQOOOOMMLKKKKKKWIKKKK9999KLKKKKKRKLLLLJLJMKMKMKOIOIOIOIPLPLMKMKMKMKMKPLPLPLPLPLUNA9A9A9A9A9OIG9MJJI9I9ICIBIAOLOLOLROLQKQKQKZXOEOEOEMHMHMHMHKDKDKDOLOLOLOLOLOLWRMJMMHMHMHCLOMLMLNNIPRMLKLQKJIPMWCAOJ9JWOLQUKVPLLNLHLBDKDKSLPOOOMHMMJHLMJHLAGFAkgbRQFUUQMKA9QKOLOLOLOLOLKMKMKWWPLPLLJQKQKMJ9kgbPLaMOLMKWWQKMKMKLKLKA9A9QKQKNENEOLOLMHKDLHPLORNKMHMKLKQKQKQKQKKJGRG9WWMNIIKHHKGMOMLKA9PLNEKJKLLLIILNKKRIIPM9NLLKKLLL9BCDG9NWWWLLLKSOMEEEEEHHKKHBBFBDDLKKJRJKHHJJHHHHQJMNLAMHOHHXYXRKPSNLHHMMDD69AADHC9FBBBAACCGGGGGG9GGG9GGGBBAAGGDBGGGGGGBGE6CFCGGGGGaaGGHaaaaGaaaGaaaaaaaa0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000LJSL99OLaaGIIIBAaaaaGGNBQSEaQaSRBMMIMMMPQAMMSOLQPMaLKMQMRPAMMILBJMLJKIILKBJJLIIKNLJLKJMJNRBJKJRLKKNRNMRMQKLJJFMMSLURPMQKMKPKNKKIMLI9QKKKLNSLLNNNMMSKNMAAGZYSNOLPMMMKPMZLOONPSPQPMOKLSMPMZZRTMNZOKKJHNKTILLKLPLKLLIJJSJMJUVNQJIRKKKKHIH999TTLKLJLURPMVOTQcXQKXRLISTQKPMPMWTVPcXURNIH0000000PMMJKLKHMJKHZTLINKNKNKSRPMXTZUTNNIKJKJKJMJUQMJMJMLVOVOAZTLKPMPMPMMJTP9MKMKWWLKQKQKZTLIMJOLOLQKQKQKNIKJKJKJMJKHTQMJMJMJ",
  "bold": "CFHRNXSAFFHRDEDCNNNNNNNNNNDDRRRKWPPORMMRRCIPLWRSOSPOMQPaPOOFCFRIGMNJNMENNBBMBYNMNNGKGNLULLJNCNR000000000000000000000000000000000CFNNLNCIGWJLR0WIGRFFGOLDGFJLYYYKPPPPPPZOMMMMCCCCRRSSSSSRSQQQQOOOMMMMMMYJMMMMBBBBMNMMMMMRMNNNNLNLPMPMPMOJOJOJOJRNRNMMMMMMMMMMRNRNRNRNRNWQCBCBCBCBCBQMIBPMMLBLBLGLILCRNRNRNWRNSMSMSMcaPGPGPGOKOKOKOKMGMGMGQNQNQNQNQNQNaUOLOOJOJOJENQPNPNOOJRTPNMMSNMIRQYEDPMCJYRNSSMZUQNPOKMIGNGMRNSRQPOJPPLJNPLJNCMICokgXWMdcYPMCBSMQNQNQNQNQNMPMPMZYRNRNPMSMSMPJBokgRNgQRNPMZYSMPMPMMMMMCBCBSMSMPGPGQNQNOKMGNKRNRSQMOJPMMMSMSMSMSMOLGSHBZZPOJLMKJQKPQPMMCBSQPGOLMNNNJJNQMMTIIROBQNLLLNNNIFIINBRYYYNQNMUMQIILGGKKLLKEEKIGGUPMLULONMLLJJJJSLOMNBOIQJJbdbWPUXSPJEMQFF8BBBEJEAHDDDCCBBGGGGGGAGGGAGGGBBCCGGEBGGGGGGCGE8DEBGGGGGaaGGMaaaaGaaaGaaaaaaaa0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000NJXRAARNaaGJIIDCaaaaFGQDSXJaTaWTDPPLPMORSCPPWRLSROaMMOSPSSCOMINDMMNMMIJNMDNLOMJMQNJPLMQLQSDMMMSPLMOWOQSOSMOJMGNMULZRRNUOOLQMPNMJONJBSLLONOWONNONMMTLOOCCIbbTRRPRPPPLTMeNRRRRWRSROOMPWPUQehVYPOcPMNLHQMWJNNMORNMNNJJLWLOMYaPTLJWLMMNHJKBBBWVOMNLNZSROXRWRiaSMeXNIZYSMSNSNbYZSjcZSOJL0000000VQPKONLHMIQMeWNJPMRMRMXRVQaSfXVSOJMJOLOLPLaXQMQMQNXQXQCeWPLVQRNVQQMaUBPMPMZYMMSMSMeWNJPLRNRNSMSMSMOJPLPLPLQMLHYTMIPLPL"
};

/** Widths beyond that table in em: first and last code point, width; any other takes 1.1. */
export const WIDE: readonly (readonly [number, number, number])[] = [[8192, 11263, 1.0], [65008, 65023, 13.0], [73728, 75087, 4.0], [126976, 129791, 1.4]];

/** The one stylesheet: light, and dark under data-theme="dark". */
export const STYLE: string = `.fb-root, .fb-picture {
  --fb-ground: #ffffff;
  --fb-ink: #1d2026;
  --fb-muted: #5b626d;
  --fb-line: #b4bac3;
  --fb-rule: #e4e7eb;
  --fb-glyph: #ffffff;
  --fb-cycle: #b5141c;
  --fb-good: #17705f;
  --fb-good-fill: #ecf4f2;
  --fb-good-text: #14604f;
  --fb-bad: #b5141c;
  --fb-bad-fill: #f9eced;
  --fb-bad-text: #a3121a;
  --fb-active: #2a78dc;
  --fb-active-fill: #eef4fc;
  --fb-active-text: #1a5bb0;
  --fb-warn: #b9720d;
  --fb-warn-fill: #f9f4ec;
  --fb-warn-text: #7f4d06;
  --fb-waiting: #7f858f;
  --fb-waiting-fill: #f5f5f6;
  --fb-waiting-text: #5b626d;
}
[data-theme="dark"] .fb-root, .fb-root[data-theme="dark"], [data-theme="dark"] .fb-picture, .fb-picture[data-theme="dark"] {
  --fb-ground: #1b1c1f;
  --fb-ink: #eceef1;
  --fb-muted: #a4aab4;
  --fb-line: #5d636d;
  --fb-rule: #33363b;
  --fb-glyph: #141517;
  --fb-cycle: #ee5852;
  --fb-good: #43c298;
  --fb-good-fill: #213531;
  --fb-good-text: #8bdcc0;
  --fb-bad: #ee5852;
  --fb-bad-fill: #3b2527;
  --fb-bad-text: #ff9f99;
  --fb-active: #5a98f7;
  --fb-active-fill: #242f3f;
  --fb-active-text: #9cc3ff;
  --fb-warn: #f0ad42;
  --fb-warn-fill: #3b3224;
  --fb-warn-text: #f5c67f;
  --fb-waiting: #9297a3;
  --fb-waiting-fill: #2d2e33;
  --fb-waiting-text: #a4aab4;
}
.fb-root, .fb-picture {
  --fb-font: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  --fb-mono: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --fb-signs: "Segoe UI Symbol", "Apple Symbols", "DejaVu Sans", "Noto Sans Symbols2", "Noto Sans Symbols", sans-serif;
  color: var(--fb-ink);
  font-family: var(--fb-font);
}
.fb-picture text { fill: var(--fb-ink); font-family: var(--fb-font); font-variant-ligatures: none; }
.fb-backdrop { fill: var(--fb-ground); }

/* the ground of a resource, below all that stands on it */
.fb-ground { fill: var(--fb-waiting-fill); }
.fb-ground-edge { fill: var(--fb-line); stroke: var(--fb-line); stroke-linejoin: round; stroke-width: 2; }
.fb-way { fill: none; stroke: var(--fb-waiting-fill); stroke-linecap: round; stroke-width: 16; }
.fb-way-edge { fill: none; stroke: var(--fb-line); stroke-linecap: round; stroke-width: 18; }
.fb-picture .fb-ground-name { fill: var(--fb-muted); font-size: 10.5px; font-weight: 600; }

/* edges: a result is solid, what only waits is dotted, a condition dashed, one result for each child double */
.fb-line { fill: none; stroke: var(--fb-line); stroke-width: 1.5; }
.fb-arrow { fill: var(--fb-line); stroke: none; }
.fb-edge[data-kind="state"] .fb-line { stroke-dasharray: 0.1 4.4; stroke-linecap: round; stroke-width: 2; }
.fb-edge[data-kind="branch"] .fb-line { stroke-dasharray: 6 4; stroke-width: 1.75; }
.fb-edge[data-kind="mapped"] .fb-line { stroke-width: 4.5; }
.fb-core { fill: none; stroke: var(--fb-ground); stroke-width: 1.9; }
.fb-fan { fill: none; stroke: var(--fb-line); stroke-width: 1.5; }
.fb-edge[data-active] .fb-fan { stroke: var(--fb-active); }
.fb-edge[data-kind="cycle"] .fb-line { stroke: var(--fb-cycle); stroke-width: 2.25; }
.fb-edge[data-kind="cycle"] .fb-arrow { fill: var(--fb-cycle); }
.fb-edge[data-active] .fb-line { stroke: var(--fb-active); }
.fb-edge[data-active] .fb-arrow { fill: var(--fb-active); }
.fb-label rect { fill: var(--fb-ground); }
.fb-inside .fb-label rect { fill: var(--fb-waiting-fill); }
.fb-inside .fb-core { stroke: var(--fb-waiting-fill); }
.fb-picture .fb-label text { fill: var(--fb-muted); font: 10.5px var(--fb-mono); text-anchor: middle; }
.fb-edge[data-active] .fb-label text { fill: var(--fb-active-text); }

/* nodes: the look follows from data-state and data-family alone */
.fb-card { fill: var(--fb-tone-fill); stroke: var(--fb-tone); stroke-width: 1.25; stroke-opacity: 0.6; }
.fb-deck { fill: var(--fb-ground); stroke: var(--fb-tone); stroke-opacity: 0.45; }
.fb-stripe, .fb-badge { fill: var(--fb-tone); stroke: none; }
.fb-inner, .fb-halo, .fb-arc, .fb-track, .fb-bar, .fb-hatch { display: none; fill: none; }
.fb-picture .fb-glyph { fill: var(--fb-glyph); font: 13px var(--fb-signs); text-anchor: middle; }
.fb-picture .fb-name { font-size: 13px; font-weight: 600; }
.fb-picture .fb-state { fill: var(--fb-tone-text); font-size: 11px; }
.fb-picture .fb-time { fill: var(--fb-muted); font-size: 11px; font-variant-numeric: tabular-nums; text-anchor: end; }
.fb-picture .fb-small .fb-name { font-size: 12px; font-weight: 500; }
.fb-picture .fb-small .fb-glyph { font-size: 10.5px; }
.fb-small .fb-state { display: none; }
[data-family="bad"] .fb-card, [data-family="active"] .fb-card { stroke-opacity: 1; }
[data-family="waiting"] .fb-card { stroke-opacity: 0.45; }
[data-family="waiting"] .fb-badge { fill: var(--fb-tone-fill); stroke: var(--fb-tone); stroke-width: 1.5; }
.fb-picture [data-family="waiting"] .fb-glyph { fill: var(--fb-tone-text); }
[data-state="Running"] .fb-card, [data-busy] .fb-card { stroke-width: 2; }
[data-state="Skipped"] .fb-card, [data-state="Cancelled"] .fb-card { stroke-dasharray: 5 3; stroke-opacity: 1; }
[data-state="TriggerFailed"] .fb-inner { display: inline; stroke: var(--fb-tone); }
[data-state="Running"] .fb-halo, [data-busy] .fb-halo {
  display: inline; stroke: var(--fb-tone); stroke-width: 4; stroke-opacity: 0.3;
}
[data-state="Running"] .fb-arc, [data-busy] .fb-arc {
  stroke: var(--fb-tone); stroke-dasharray: 22 78; stroke-linecap: round; stroke-width: 2.5;
}
[data-bar] .fb-track { display: inline; fill: var(--fb-tone); fill-opacity: 0.2; }
[data-bar] .fb-bar { display: inline; fill: var(--fb-tone); }
[data-stale] .fb-hatch { display: inline; stroke: var(--fb-tone); stroke-dasharray: 1.5 7; stroke-opacity: 0.3; }
.fb-share[data-family="good"] { fill: var(--fb-good); }
.fb-share[data-family="bad"] { fill: var(--fb-bad); }
.fb-share[data-family="active"] { fill: var(--fb-active); }
.fb-share[data-family="warn"] { fill: var(--fb-warn); }
.fb-share[data-family="waiting"] { fill: var(--fb-waiting); fill-opacity: 0.45; }
.fb-picture [data-marred] .fb-state { fill: var(--fb-bad-text); }
.fb-node:hover .fb-card { stroke-opacity: 1; stroke-width: 1.75; }
.fb-node:focus { outline: none; }
.fb-node:focus-visible .fb-card { stroke: var(--fb-ink); stroke-opacity: 1; stroke-width: 2.5; }
@media (prefers-reduced-motion: no-preference) {
  .fb-card, .fb-stripe, .fb-badge { transition: fill 0.25s, stroke 0.25s; }
  [data-state="Running"] .fb-arc, [data-busy] .fb-arc { animation: fb-around 2.4s linear infinite; display: inline; }
}
@keyframes fb-around { to { stroke-dashoffset: -100; } }

/* what stands around the nodes in a picture that stands alone */
.fb-picture .fb-title { font-size: 15px; }
.fb-picture .fb-title tspan { fill: var(--fb-muted); }
.fb-picture .fb-title .fb-flow { fill: var(--fb-ink); font-weight: 650; }
.fb-picture .fb-title .fb-run-state { fill: var(--fb-tone-text); }
.fb-picture .fb-counts text { fill: var(--fb-muted); font-size: 11.5px; }
.fb-picture .fb-segment { fill: var(--fb-tone); }
.fb-picture .fb-rule { fill: var(--fb-rule); }
.fb-picture .fb-sentence { fill: var(--fb-muted); font-size: 12px; }
.fb-picture .fb-subject { fill: var(--fb-tone-text); font-weight: 650; }

@media (forced-colors: active) {
  .fb-card, .fb-deck { fill: Canvas; stroke: CanvasText; stroke-opacity: 1; }
  .fb-stripe, .fb-badge, .fb-arrow, .fb-picture .fb-segment, [data-bar] .fb-bar { fill: CanvasText; }
  .fb-line, [data-state="TriggerFailed"] .fb-inner, [data-stale] .fb-hatch { stroke: CanvasText; }
  .fb-picture text, .fb-picture .fb-state, .fb-picture .fb-time, .fb-picture .fb-title tspan { fill: CanvasText; }
  .fb-picture .fb-glyph, .fb-backdrop, .fb-label rect { fill: Canvas; }
  .fb-core { stroke: Canvas; }
  .fb-share { forced-color-adjust: none; }
  [data-state="Running"] .fb-halo, [data-busy] .fb-halo, .fb-edge[data-active] .fb-line { stroke: Highlight; }
  .fb-node:focus-visible .fb-card { stroke: Highlight; }
}
/* around a picture in a page: header, controls, window onto it */
.fb-root { background: var(--fb-ground); box-sizing: border-box; font-size: 13px; line-height: 1.45; }
.fb-root [hidden] { display: none !important; }
.fb-head { align-items: flex-start; border-bottom: 1px solid var(--fb-rule); display: flex; flex-wrap: wrap; gap: 8px 16px; }
.fb-head { padding: 12px 20px; }
.fb-head-words { flex: 1 1 320px; min-width: 0; }
.fb-line-one { align-items: baseline; column-gap: 0; display: flex; flex-wrap: wrap; font-size: 15px; }
.fb-line-one > * + *:not(:empty)::before { color: var(--fb-muted); content: "\\00a0·\\00a0"; }
div .fb-flow { font-weight: 650; overflow-wrap: anywhere; }
div .fb-run-state { color: var(--fb-tone-text); }
.fb-done, .fb-elapsed { color: var(--fb-muted); font-variant-numeric: tabular-nums; }
div.fb-counts { align-items: center; display: flex; flex-wrap: wrap; gap: 4px 12px; margin-top: 6px; }
.fb-counts-bar { display: flex; flex: 0 1 420px; gap: 3px; height: 6px; min-width: 120px; }
span.fb-segment { background: var(--fb-tone); border-radius: 3px; flex-basis: 0; min-width: 5px; }
.fb-tallies { color: var(--fb-muted); display: flex; font-size: 11.5px; font-variant-numeric: tabular-nums; gap: 10px; }
.fb-tally { color: var(--fb-tone-text); white-space: nowrap; }
.fb-controls { display: flex; gap: 8px; }
.fb-button, .fb-tools button {
  background: var(--fb-ground); border: 1px solid var(--fb-line); border-radius: 6px; color: var(--fb-ink);
  cursor: pointer; font: inherit; font-size: 12px; padding: 3px 10px;
}
.fb-button:hover, .fb-tools button:hover { background: var(--fb-waiting-fill); }
.fb-button[aria-disabled="true"] { color: var(--fb-muted); cursor: default; opacity: 0.6; }
.fb-root :focus-visible { outline: 2px solid var(--fb-active); outline-offset: 2px; }
.fb-root .fb-node:focus-visible { outline: none; }
.fb-said { color: var(--fb-muted); flex-basis: 100%; font-size: 12px; }
.fb-said:empty, .fb-notice:empty, p.fb-sentence:empty, div.fb-sentence:empty { display: none; }
.fb-notice { background: var(--fb-warn-fill); border-left: 4px solid var(--fb-warn); color: var(--fb-ink); padding: 8px 16px; }
.fb-stage { position: relative; }
.fb-scroller { max-height: min(70vh, 720px); overflow: auto; }
.fb-stage[data-cut] .fb-scroller { cursor: grab; }
.fb-stage[data-dragged] .fb-scroller { cursor: grabbing; user-select: none; }
.fb-scroller .fb-picture { display: block; }
.fb-tools { bottom: 10px; display: flex; gap: 4px; opacity: 0; position: absolute; right: 16px; }
.fb-tools button { min-width: 26px; padding: 2px 6px; }
.fb-stage:hover .fb-tools, .fb-stage:focus-within .fb-tools, .fb-stage[data-scaled] .fb-tools { opacity: 1; }
p.fb-sentence, div.fb-sentence { color: var(--fb-muted); font-size: 12.5px; margin: 0; padding: 4px 20px 12px; }

@media (forced-colors: active) {
  span.fb-segment { background: CanvasText; forced-color-adjust: none; }
}
[data-family="good"] { --fb-tone: var(--fb-good); --fb-tone-fill: var(--fb-good-fill); --fb-tone-text: var(--fb-good-text); }
[data-family="bad"] { --fb-tone: var(--fb-bad); --fb-tone-fill: var(--fb-bad-fill); --fb-tone-text: var(--fb-bad-text); }
[data-family="active"] { --fb-tone: var(--fb-active); --fb-tone-fill: var(--fb-active-fill); --fb-tone-text: var(--fb-active-text); }
[data-family="warn"] { --fb-tone: var(--fb-warn); --fb-tone-fill: var(--fb-warn-fill); --fb-tone-text: var(--fb-warn-text); }
[data-family="waiting"] { --fb-tone: var(--fb-waiting); --fb-tone-fill: var(--fb-waiting-fill); --fb-tone-text: var(--fb-waiting-text); }
`;
