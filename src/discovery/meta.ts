/** The `<meta>` tags of a page. What is read is hostile: only start tags count, and the time is linear in the page. */
import { Tokenizer } from "htmlparser2";

export type Meta = { readonly name: string; readonly content: string };

/** Every `<meta>` tag that has a name and a content, in the page's order. Tags inside of scripts, titles and comments are none. */
export function readMeta(html: string): Meta[] {
  const found: Meta[] = [];
  const tag = newTag();
  const text = (start: number, end: number) => html.slice(start, end);
  const tokenizer = new Tokenizer(
    { decodeEntities: true },
    {
      ...NOTHING,
      onopentagname: (start, end) => tag.open(text(start, end).toLowerCase()),
      onattribname: (start, end) => tag.attribute(text(start, end).toLowerCase()),
      onattribdata: (start, end) => tag.value(text(start, end)),
      onattribentity: (codepoint) => tag.value(String.fromCodePoint(codepoint)),
      onopentagend: () => add(found, tag.close()),
      onselfclosingtag: () => add(found, tag.close()),
    },
  );
  // Not a Parser: that one also keeps the open elements, and searches them for every end tag.
  tokenizer.write(html);
  tokenizer.end();
  return found;
}

const ignore = () => {};
const NOTHING = {
  onattribend: ignore,
  oncdata: ignore,
  onclosetag: ignore,
  oncomment: ignore,
  ondeclaration: ignore,
  onend: ignore,
  onprocessinginstruction: ignore,
  ontext: ignore,
  ontextentity: ignore,
};

function add(found: Meta[], meta: Meta | undefined): void {
  if (meta !== undefined) found.push(meta);
}

type Key = keyof Meta;
const isKey = (name: string): name is Key => name === "name" || name === "content";

/** The tag that is being read. Of an attribute that comes twice the first counts, as HTML has it. */
function newTag() {
  let values: { name?: string; content?: string } | undefined;
  let current: Key | undefined;
  return {
    open: (name: string) => {
      values = name === "meta" ? {} : undefined;
      current = undefined;
    },
    attribute: (name: string) => {
      current = values !== undefined && isKey(name) && values[name] === undefined ? name : undefined;
      if (values !== undefined && current !== undefined) values[current] = "";
    },
    value: (part: string) => {
      if (values !== undefined && current !== undefined) values[current] += part;
    },
    close: (): Meta | undefined => {
      const { name, content } = values ?? {};
      values = undefined;
      return name === undefined || content === undefined ? undefined : { name, content };
    },
  };
}
