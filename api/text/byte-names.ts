// Bytes as characters that can be seen, as the vocabularies of byte-level BPE write them. Radford et al. 2019, GPT-2.

/** The character of each byte: itself where it can be seen, else the next from U+0100 on. */
const CHARACTERS = charactersOfBytes()

function charactersOfBytes(): string[] {
  const isSeen = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  let next = 0x100
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isSeen(byte) ? byte : next++))
}

/** `Ġwhale` for ` whale`: no white space, and no two texts of bytes alike. */
export function nameOfBytes(bytes: Uint8Array): string {
  let name = ''
  for (const byte of bytes) name += CHARACTERS[byte]
  return name
}
