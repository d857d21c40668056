import assert from "node:assert/strict";
import { test } from "node:test";
import { isAllowed, type Mark, readPicture } from "../src/adopt";
import { crop } from "../src/geometry";
import { makeScene } from "./scene";

const SVG = (inner: string): string => `<svg xmlns="http://www.w3.org/2000/svg" class="fb-picture" viewBox="0 0 9 9">${inner}</svg>`;

function marks(mark: Mark): Mark[] {
  return [mark, ...mark.children.flatMap((child) => (typeof child === "string" ? [] : marks(child)))];
}

function survivors(svg: string): string {
  return JSON.stringify(marks(readPicture(svg)).map((mark) => [mark.tag, [...mark.attributes], mark.children.filter((child) => typeof child === "string")]));
}

test("a picture of ours comes through whole", () => {
  const { picture, cards } = makeScene(30);
  const all = marks(readPicture(picture.svg));
  assert.equal(all.filter((mark) => mark.attributes.get("class") === "fb-node").length, cards.length);
  const node = all.find((mark) => mark.attributes.get("data-node") === "7");
  assert.deepEqual(node?.attributes.get("transform")?.startsWith("translate("), true);
  const names = all.filter((mark) => mark.attributes.get("class") === "fb-name").map((mark) => mark.children[0]);
  assert.deepEqual(names, cards.map((card) => card.name));
});

test("nothing that runs, loads or links gets through", () => {
  const hostile = [
    "<script>alert(1)</script>",
    "<style>@import url(http://x)</style>",
    '<image href="http://x/y.png"/>',
    '<use xlink:href="#a"/>',
    '<a href="javascript:alert(1)"><text>x</text></a>',
    "<foreignObject><body onload='alert(1)'/></foreignObject>",
    '<g onclick="alert(1)"><rect onmouseover="alert(1)" width="3"/></g>',
    '<rect style="background:url(http://x)" fill="url(http://x)" filter="url(#f)"/>',
    '<animate attributeName="href" values="javascript:alert(1)"/>',
    '<set attributeName="onclick" to="alert(1)"/>',
    '<g class="evil" id="x" name="y"><svg onload="alert(1)"/></g>',
    '<g xmlns="http://www.w3.org/1999/xhtml"><img src="x" onerror="alert(1)"/></g>',
    '<G ONCLICK="alert(1)"/><SCRIPT>alert(1)</SCRIPT>',
    "<svg:script>alert(1)</svg:script>",
    '<text><script>alert(1)</script><tspan onclick="alert(1)">ok</tspan></text>',
    "<![CDATA[<script>alert(1)</script>]]><!-- <script>alert(1)</script> -->",
    '<path d="M0 0" transform="translate(1,1);x:expression(alert(1))"/>',
    '<g class="fb-node&quot; onload=&quot;alert(1)"/>',
  ];
  for (const inner of hostile) {
    assert.doesNotMatch(survivors(SVG(inner)), /alert|http:\/\/x|javascript|onload|url\(|evil|"id"|style|href/i, inner);
  }
});

test("text stays text, whatever it looks like", () => {
  const svg = SVG('<text class="fb-name">&lt;script&gt;&#97;lert(1)&lt;/script&gt; &amp;amp; &#x2713; &unknown;</text>');
  const text = marks(readPicture(svg)).find((mark) => mark.tag === "text");
  assert.deepEqual(text?.children, ["<script>alert(1)</script> &amp; ✓ &unknown;"]);
});

test("what is not well formed is refused with its place", () => {
  const broken = ["", "<svg", "<svg><g></svg>", "<svg></svg><svg/>", "</svg>", '<svg a="1" b=2/>', "<svg/><!-- ", "<div/>", "just words", SVG("<g>".repeat(40) + "</g>".repeat(40)), "<!DOCTYPE svg [<!ENTITY a 'b'>]><svg/>"];
  for (const svg of broken) assert.throws(() => readPicture(svg), /at character|root is not/);
});

test("a long hostile class does not hold up the page", () => {
  const started = Date.now();
  for (const value of [`${"fb-".repeat(20_000)}!`, `${"fb-a ".repeat(20_000)}!`]) assert.equal(isAllowed("class", value), false);
  assert.equal(isAllowed("transform", `${"translate(1) ".repeat(20_000)}!`), false);
  assert.equal(isAllowed("d", `${"1 ".repeat(100_000)}!`), false);
  assert.ok(Date.now() - started < 1000);
});

test("the page's own header takes the place of the drawn one", () => {
  const { picture, cards } = makeScene(6, 3);
  const { mark, view, nodes } = crop(readPicture(picture.svg));
  assert.equal(marks(mark).some((part) => part.attributes.get("class") === "fb-header"), false);
  assert.equal(nodes.size, cards.length);
  for (const box of nodes.values()) {
    assert.ok(box.x >= view.x && box.y >= view.y && box.x + box.width <= view.x + view.width && box.y + box.height <= view.y + view.height);
  }
  assert.ok(view.y > 40, "the header's room is cut off");
});

test("two drawings that differ in their states only have the same shape", () => {
  const { picture } = makeScene(6, 3);
  const ended = picture.svg.replaceAll("Pending", "Success").replaceAll("waiting", "good").replace('height="', 'height="1');
  const shape = (svg: string): string => crop(readPicture(svg)).shape;
  assert.equal(shape(ended), shape(picture.svg));
  assert.notEqual(shape(picture.svg.replace("translate(24,", "translate(25,")), shape(picture.svg));
  const name = /class="fb-name"[^>]*>[^<]+/;
  assert.match(picture.svg, name);
  assert.notEqual(shape(picture.svg.replace(name, (text) => `${text.slice(0, -1)}_`)), shape(picture.svg));
});
