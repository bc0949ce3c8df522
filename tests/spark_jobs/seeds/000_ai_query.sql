SELECT
  ai_query(
    "taka_ai_gateway_endpoint",
    "専門家の混合モデルとは何ですか?"
  )
