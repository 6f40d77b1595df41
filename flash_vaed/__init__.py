"""Small decoders in place of video VAEs' own (Flash-VAED, arXiv 2602.19161), and the tool that makes them."""
