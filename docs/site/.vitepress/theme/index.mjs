// VitePress's theme without its web font, and with the colours of pictures.
import Theme from 'vitepress/theme-without-fonts'
import './pictures.css'

export default Theme
