// Bytes as printable characters, as the vocabularies of byte-level BPE write them. Radford et al. 2019, GPT-2.

/** The character of each byte: the byte itself if it is printable, or else the next one from U+0100 on. */
const CHARACTERS = charactersOfBytes()

function charactersOfBytes(): string[] {
  const isSeen = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isSeen(byte) ? byte : next++))
}

/** Gives `Ġwhale` for ` whale`. A name has no white space, and different bytes have different names. */
export function nameOfBytes(bytes: Uint8Array): string {
  let name = ''
  for (const byte of bytes) name += CHARACTERS[byte]
  return name
}
