/** What is known of a packed archive: of the file, and of the tar in it (docs/packer.md). */
export type Packed = {
  readonly path: string;
  readonly archive: { readonly size: number; readonly sha256: string };
  readonly diff: { readonly size: number; readonly sha256: string; readonly sha512: string };
};
